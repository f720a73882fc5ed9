// The TypeScript SDK's client over Streamable HTTP.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const url: string = process.argv[2];

async function connected(client: Client, path: string): Promise<string | undefined> {
  const transport = new StreamableHTTPClientTransport(new URL(path, url));
  await client.connect(transport);
  return transport.protocolVersion;
}

async function call(client: Client, name: string, args: Record<string, unknown>) {
  return await client.callTool({ name, arguments: args });
}

const desk = new Client({ name: "order-desk-agent", version: "1.0.0" });
const version = await connected(desk, "/mcp/support");
const tools = (await desk.listTools()).tools.map((tool) => tool.name);
const called = await call(desk, "track_order", { order_id: "ORD-1234" });
const broken = await call(desk, "track_order", { order_id: "12" });
const unknown = await call(desk, "track_parcel", {}).catch((error: Error & { code: number }) => ({
  code: error.code,
  message: error.message,
}));
await desk.close();

const lean = new Client({ name: "lean-agent", version: "1.0.0" });
await connected(lean, "/mcp/support?tools=route");
const leanTools = (await lean.listTools()).tools.map((tool) => tool.name);
const routed = await call(lean, "route", { request: "Where is my order ORD-1234?" });
const chat = await call(lean, "route", { request: "Good morning! How are you?" });
await lean.close();

const seen = { version, tools, lean: leanTools, called, broken, unknown, routed, chat };
console.log(JSON.stringify(seen));
