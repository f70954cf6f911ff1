//! A plug-in of version 2 as hyper-mcp's templates write one.

use extism_pdk::*;
use serde_json::{json, Value};

#[plugin_fn]
pub fn list_tools(Json(_request): Json<Value>) -> FnResult<Json<Value>> {
    let tool = |name: &str, property: &str| {
        json!({
            "name": name, "description": format!("Does {name}."),
            "inputSchema": {"type": "object", "properties": {property: {"type": "string"}}, "required": [property]}
        })
    };
    Ok(Json(json!({"tools": [tool("greet", "name"), tool("fetch", "url")]})))
}

#[plugin_fn]
pub fn call_tool(Json(input): Json<Value>) -> FnResult<Json<Value>> {
    let request = &input["request"];
    let argument = |name: &str| request["arguments"][name].as_str().unwrap_or_default().to_string();
    let text = match request["name"].as_str() {
        Some("greet") => greet(argument("name"))?,
        Some("fetch") => fetch(argument("url"))?,
        other => return Err(Error::msg(format!("there is no tool {other:?}")).into()),
    };
    Ok(Json(json!({"content": [{"type": "text", "text": text}], "structuredContent": {"length": text.len()}})))
}

/// Counts in a variable, reads the config and logs.
fn greet(name: String) -> Result<String, Error> {
    if name.is_empty() {
        return Err(Error::msg("the name is empty"));
    }
    let greeting = config::get("greeting")?.unwrap_or("Hello".into());
    let count: u32 = var::get::<String>("count")?.map_or(0, |text| text.parse().unwrap_or(0)) + 1;
    var::set("count", count.to_string())?;
    var::set("again", "x")?;
    var::remove("again")?;
    if var::get::<String>("again")?.is_some() {
        return Err(Error::msg("a removed variable is there"));
    }
    info!("greeting {}", name);
    Ok(format!("{greeting}, {name}! ({count})"))
}

fn fetch(url: String) -> Result<String, Error> {
    let request = HttpRequest::new(url).with_method("POST").with_header("X-Said", "hi");
    let response = http::request::<String>(&request, Some("from the PDK".into()))?;
    let seen = response.header("x-seen").unwrap_or_default().to_string();
    Ok(format!("{} {} {}", response.status_code(), seen, String::from_utf8_lossy(&response.body())))
}
