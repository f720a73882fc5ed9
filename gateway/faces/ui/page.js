// Reads the operator's API every few seconds and shows it. Everything is set as text.

const EVERY_MS = 5000;
const KEY = "pointsman-admin-key"; // for this tab only
const TONES = {
  none: "good", notation: "good", ready: "good", call: "good", connecting: "fair",
  description: "fair", compatible: "fair", added: "fair", no_tool: "fair", abstained: "fair",
  breaking: "bad", renamed: "bad", removed: "bad", invalid: "bad", down: "bad",
};

const place = (id) => document.getElementById(id);

function node(tag, content = "", tone = "") {
  const made = document.createElement(tag);
  made.append(...[content].flat());
  if (tone) made.className = tone;
  return made;
}

const toned = (word) => node("span", String(word), TONES[word] ?? "");
const text = (value) => (value === undefined || value === null ? "" : JSON.stringify(value));
const time = (seconds) => new Date(seconds * 1000).toLocaleString();

function table(titles, rows, nothing) {
  if (!rows.length) return node("p", nothing, "none");
  const head = node("tr", titles.map((title) => node("th", title)));
  const body = rows.map((cells) => node("tr", cells.map((cell) => node("td", cell ?? ""))));
  return node("table", [node("thead", head), node("tbody", body)]);
}

function changes(tool) {
  const listed = tool.changes.length ? tool.changes : [{ pointer: "", grade: tool.grade }];
  return listed.map((change) => [
    node("code", tool.tool), toned(change.grade), node("code", change.pointer),
    node("code", text(change.before)), node("code", text(change.after)),
  ]);
}

function drift({ adapters }) {
  if (!adapters.length) return [node("p", "No adapter is in service.", "none")];
  return adapters.flatMap((item) => {
    const title = node("h3", [`${item.adapter} on toolset ${item.toolset}: `, toned(item.grade)]);
    if (!item.listed) return [title, node("p", "Its servers have not listed their tools yet.")];
    if (!item.tools.length) return [title];
    const told = [`policy: ${item.action}`, `answered by ${item.answered_by}`];
    if (item.silenced) told.push("silenced");
    if (item.measured) told.push(`measured: ${item.measured}`);
    const titles = ["tool", "grade", "where", "before", "after"];
    return [title, node("p", told.join("; ")), table(titles, item.tools.flatMap(changes), "")];
  });
}

function adapters({ adapters: found }) {
  const rows = found.map((item) => [
    node("code", item.version), item.in_service ? "in service" : item.trial ? "on trial" : "stored",
    item.toolset ?? "", item.drift ? toned(item.drift) : "", node("code", item.previous ?? ""),
    item.base_model, item.created,
  ]);
  const titles = ["version", "state", "toolset", "drift", "before it", "base model", "made"];
  return [table(titles, rows, "No adapter is stored.")];
}

function servers({ servers: found }) {
  const rows = found.map((item) => [
    node("code", item.name), toned(item.state), String(item.tools.length),
    item.listed_at ? time(item.listed_at) : "never", item.error ?? item.warning ?? "",
  ]);
  return [table(["server", "state", "tools", "listed", "says"], rows, "No server is registered.")];
}

function held({ held: found }) {
  const rows = found.map((item) => [node("code", item.tool), node("code", text(item))]);
  return [table(["tool", "what waits"], rows, "Nothing waits for approval.")];
}

function calls({ calls: found }) {
  const rows = found.map((item) => {
    const shown = item.calls?.length ? item.calls : item.proposal ?? [];
    return [
      time(item.at), toned(item.outcome), node("code", shown.map(text).join(" ")),
      item.reason ?? "", item.confidence?.toFixed(2) ?? "", item.model ?? item.face,
      `${item.timings_ms.total.toFixed(0)} ms`,
    ];
  });
  const titles = ["at", "outcome", "calls", "reason", "confidence", "by", "took"];
  return [table(titles, rows, "No call is recorded.")];
}

const PARTS = {
  drift: ["/admin/drift", drift],
  adapters: ["/admin/adapters", adapters],
  servers: ["/admin/servers", servers],
  held: ["/admin/tools/held", held],
  calls: ["/admin/calls?limit=25", calls],
};

class KeyNeeded extends Error {}

async function read(path) {
  const key = sessionStorage.getItem(KEY);
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  const answer = await fetch(path, { headers, cache: "no-store" });
  if (answer.status === 401 || answer.status === 403) throw new KeyNeeded();
  if (!answer.ok && path !== "/readyz") throw new Error(`${path} answers ${answer.status}`);
  return answer.json();
}

async function show() {
  try {
    const { status, missing } = await read("/readyz");
    const found = await Promise.all(Object.values(PARTS).map(([path]) => read(path)));
    Object.entries(PARTS).forEach(([id, [, shape]], at) => {
      place(id).replaceChildren(...shape(found[at]));
    });
    place("ready").replaceChildren(toned(status), missing.length ? `: ${missing.join("; ")}` : "");
    place("key-form").hidden = true;
  } catch (error) {
    const asks = error instanceof KeyNeeded;
    place("key-form").hidden = !asks;
    place("ready").replaceChildren(node("span", asks ? "An admin key is needed." : error.message, "bad"));
  }
}

async function keepShowing() {
  await show();
  setTimeout(keepShowing, EVERY_MS);
}

place("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, place("key").value);
  show();
});
keepShowing();
