export async function registerWebMCP() {}
