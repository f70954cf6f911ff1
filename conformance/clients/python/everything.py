"""Drives examples/everything with the Python SDK's client.

../everything/doc.go says what a driver is; its command line is TRANSPORT ERA TARGET.
"""

import asyncio
import base64
import contextlib
import json
import sys
import traceback

from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.stdio import StdioServerParameters
from mcp.shared.exceptions import MCPError
from mcp.types import ElicitResult, PromptReference, ResourceUpdatedNotification

VERSIONS = {"legacy": "2025-11-25", "modern": "2026-07-28"}
WATCHED = "test://watched-resource"
STEP_SECONDS = 20


async def refused(call, *codes):
    """Fails unless the call is answered with a JSON-RPC error of one of these codes."""
    try:
        await call
    except MCPError as e:
        assert e.code in codes, e.code
    else:
        raise AssertionError("it was not refused")


async def until(condition):
    while not await condition():
        await asyncio.sleep(0.01)


class Steps:
    """The steps; each public method is one."""

    def __init__(self, client, era, updated):
        self._client, self._era, self._updated = client, era, updated

    async def list(self):
        tools = {tool.name: tool for tool in (await self._client.list_tools()).tools}
        assert "echo" in tools and tools["sum"].output_schema
        assert any(str(r.uri) == WATCHED for r in (await self._client.list_resources()).resources)
        templates = (await self._client.list_resource_templates()).resource_templates
        assert [t.uri_template for t in templates] == ["test://template/{id}/data"]
        prompts = {p.name: p for p in (await self._client.list_prompts()).prompts}
        assert len(prompts["test_prompt_with_arguments"].arguments) == 2

    async def call(self):
        result = await self._client.call_tool("echo", {"message": "héllo \u2028 ☃"})
        assert result.content[0].text == "héllo \u2028 ☃"
        assert (await self._client.call_tool("sum", {"terms": [1, 2.5]})).structured_content == {"sum": 3.5}
        blocks = (await self._client.call_tool("test_multiple_content_types", {})).content
        assert [b.type for b in blocks] == ["text", "image", "resource"]
        assert (await self._client.call_tool("test_error_handling", {})).is_error
        await refused(self._client.call_tool("no_such_tool", {}), -32602)

    async def read(self):
        async def read(uri):
            return (await self._client.read_resource(uri)).contents[0]

        assert "static text" in (await read("test://static-text")).text
        assert base64.b64decode((await read("test://static-binary")).blob)[1:4] == b"PNG"
        assert json.loads((await read("test://template/a%20b/data")).text)["id"] == "a b"
        await refused(read("test://nothing"), -32602, -32002)

    async def get(self):
        prompt = await self._client.get_prompt("test_prompt_with_arguments", {"arg1": "a", "arg2": "b"})
        assert prompt.messages[0].content.text == "Prompt with arguments: arg1='a', arg2='b'"

    async def complete(self):
        ref = PromptReference(type="ref/prompt", name="test_prompt_with_arguments")
        result = await self._client.complete(ref, {"name": "arg1", "value": "par"})
        assert result.completion.values == ["paris", "park", "party"], result

    async def progress(self):
        reports = []

        async def report(progress, total, message):
            reports.append(progress)

        await self._client.call_tool("test_tool_with_progress", {}, progress_callback=report)
        assert reports == [0, 50, 100], reports

    async def ask(self):
        result = await self._client.call_tool("test_elicitation", {"message": "What?"})
        assert result.content[0].text == 'User response: action=accept, content={"response":"What? This."}', result

    async def subscribe(self):
        async def change():
            await self._client.call_tool("update_watched", {"text": "new"})

        if self._era == "modern":
            async with self._client.listen(resource_subscriptions=[WATCHED]) as subscription:
                await change()
                event = await anext(subscription)
                assert str(event.uri) == WATCHED, event
            return
        await self._client.subscribe_resource(WATCHED)
        await change()

        async def told():
            return WATCHED in self._updated

        await until(told)
        await self._client.unsubscribe_resource(WATCHED)

    async def cancel(self):
        async def waiting(count):
            return (await self._client.call_tool("waiting", {})).structured_content["calls"] == count

        call = asyncio.create_task(self._client.call_tool("wait", {"seconds": 60}))
        await until(lambda: waiting(1))
        call.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await call
        await until(lambda: waiting(0))


def tell(step, error=None):
    print(json.dumps({"step": step, "error": error}), flush=True)


async def drive(transport, era, target):
    updated = []

    async def on_message(message):
        if isinstance(message, ResourceUpdatedNotification):
            updated.append(str(message.params.uri))

    async def fill_in(context, params):
        return ElicitResult(action="accept", content={"response": params.message + " This."})

    server = {
        "stdio": lambda: StdioServerParameters(command=target, args=["--stdio"]),
        "http": lambda: target,
        "sse": lambda: sse_client(target),
    }[transport]()
    mode = "legacy" if era == "legacy" else VERSIONS[era]
    async with Client(server, mode=mode, elicitation_callback=fill_in, message_handler=on_message) as client:
        assert client.protocol_version == VERSIONS[era], client.protocol_version
        tell("connect")
        steps = Steps(client, era, updated)
        for name in [name for name in vars(Steps) if not name.startswith("_")]:
            try:
                await asyncio.wait_for(getattr(steps, name)(), STEP_SECONDS)
                tell(name)
            except Exception:
                tell(name, traceback.format_exc())
    tell("close")


def main():
    transport, era, target = sys.argv[1:]
    try:
        asyncio.run(drive(transport, era, target))
    except Exception:
        tell("close", traceback.format_exc())


if __name__ == "__main__":
    main()
