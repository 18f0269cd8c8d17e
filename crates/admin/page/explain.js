// Why a request is answered as it is: the steps of the decision, as the service tells them.

import { call } from "./api.js";
import { el, find, plural, say, span } from "./dom.js";

const EXAMPLE = "GET https://api.example.com/users/42\naccept: text/html";
const RESPONSE = "200\ncache-control: max-age=60";

export function watchExplain() {
  find("explain-request").placeholder = EXAMPLE;
  find("explain-response").placeholder = RESPONSE;
  const form = find("explain-form");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    explain();
  });
  // What is written in several lines is sent as in other places where that is so.
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      form.requestSubmit();
    }
  });
}

async function explain() {
  const steps = find("explain-steps");
  steps.replaceChildren();
  find("explain-said").className = "plain";
  try {
    const question = asked(find("explain-request").value, find("explain-response").value);
    say(find("explain-said"), "Asking …");
    const answer = await call("POST", "explain", question);
    steps.replaceChildren(...trace(answer));
    say(find("explain-said"), summary(answer));
  } catch (problem) {
    find("explain-said").className = "problem";
    say(find("explain-said"), `Not explained: ${problem.message}`);
  }
}

/** The question, as the API takes it. */
export function asked(request, response) {
  const [first, ...lines] = request.trim().split("\n");
  const [, method, url] = /^(?:([A-Za-z]+)\s+)?(\S+)(?:\s+HTTP\/[\d.]+)?\s*$/.exec(first) ?? [];
  if (url === undefined) {
    throw new Error("the first line must be a method and a URL");
  }
  const question = { method: method ?? "GET", url, headers: fields(lines) };
  if (response.trim() !== "") {
    const [head, ...rest] = response.trimStart().replaceAll("\r", "").split("\n\n");
    const [status, ...more] = head.split("\n");
    const [, code] = /^(?:HTTP\/[\d.]+\s+)?(\d{3})\b/.exec(status) ?? [];
    if (code === undefined) {
      throw new Error("the response’s first line must be its status, such as 200");
    }
    question.response = { status: Number(code), headers: fields(more), body: rest.join("\n\n") };
  }
  return question;
}

function fields(lines) {
  // Without a prototype: a field may have any name.
  const read = Object.create(null);
  for (const line of lines.filter((text) => text.trim() !== "")) {
    const at = line.indexOf(":");
    if (at < 1) {
      throw new Error(`“${line.trim()}” is no header field: it needs a name, a colon and a value`);
    }
    const name = line.slice(0, at).trim().toLowerCase();
    read[name] = [...(read[name] ?? []), line.slice(at + 1).trim()];
  }
  return read;
}

function summary({ outcome, response }) {
  const is = {
    answered: `It is answered from the cache, with ${outcome?.status}.`,
    forwarded: "It goes to the origin, and what comes back may be stored.",
    passed: `It goes to the origin as if there were no cache: ${outcome?.because ?? outcome?.reason}`,
  }[outcome?.is] ?? "The service has not said what would become of it.";
  const stored = {
    stored: ` That response is stored for ${seconds(response?.lifetime_seconds)}.`,
    "not-stored": ` That response is not stored${response?.because ? `: ${response.because}` : "."}`,
  }[response?.is] ?? "";
  return is + stored;
}

/** The steps, in the order in which they are taken. */
function trace(answer) {
  const steps = [rule(answer.rule ?? {})];
  for (const lookup of answer.lookups ?? []) {
    steps.push(looked(lookup));
  }
  steps.push(outcome(answer.outcome ?? {}));
  if (answer.response) {
    steps.push(stored(answer.response));
  }
  return steps;
}

const ACTIONS = {
  "ambiguous-path": "The path could mean one thing here and another at the origin.",
  bypass: "The rule keeps such requests from the cache.",
  cache: "The rule lets them be cached.",
  none: "No rule matches.",
  refused: "The rule refuses them.",
  write: "The rule takes it for a write: it invalidates.",
};

const UNRULED = {
  cache: "What the origin says of its responses holds.",
};

function rule({ name, action, not_matched: before = [] }) {
  return step(name ? ["Rule ", code(name)] : ["No rule"], [
    [name ? (ACTIONS[action] ?? action ?? "") : (UNRULED[action] ?? ACTIONS[action] ?? "")],
    before.length > 0 ? ["Tried before, and not matched: ", ...listed(before)] : null,
  ]);
}

const FOUND = {
  expired: "Something that had expired.",
  "host-failed": "The proxy’s memory could not be read.",
  "no-vary-search": "Which parameters do not matter (No-Vary-Search).",
  nothing: "Nothing stands there.",
  part: "A part of a response.",
  response: "A response.",
  unreadable: "Something that cannot be read.",
  variants: "Which variants there are.",
};
const CURRENCY = {
  current: "Nothing has invalidated it.",
  gone: "It has been invalidated, and is gone.",
  invalidated: "It has been invalidated: the origin is asked about it.",
  "soft-purged": "It has been purged softly: it counts as stale.",
};

function looked(lookup) {
  const apart = lookup.told_apart_by ?? [];
  return step(["Looked for ", code(lookup.key ?? "")], [
    [FOUND[lookup.found] ?? lookup.found ?? ""],
    lookup.age_seconds === undefined ? null : [`${lookup.status}, ${seconds(lookup.age_seconds)} old, good for ${seconds(lookup.lifetime_seconds)} by the word of `, `${source(lookup.lifetime_source)}.`],
    lookup.invalidation ? [CURRENCY[lookup.invalidation] ?? lookup.invalidation] : null,
    lookup.tags?.length > 0 ? ["Tags: ", ...listed(lookup.tags)] : null,
    apart.length > 0 ? ["Told apart by ", ...listed(apart), "."] : null,
  ]);
}

function outcome(result) {
  const title = { answered: `Answered from the cache, ${result.status}`, forwarded: "Forwarded to the origin", passed: "Passed by" }[result.is] ?? result.is ?? "No outcome";
  const content = step([title], [result.because ? [code(result.reason), ` ${result.because}`] : null]);
  content.append(...head(result.headers, "Fields of the answer"), ...head(result.headers_added, "Fields added for the origin"));
  return content;
}

function stored(result) {
  const isStored = result.is === "stored";
  const content = step([isStored ? "The response is stored" : "The response is not stored"], [
    isStored ? [`For ${seconds(result.lifetime_seconds)}, by the word of ${source(result.lifetime_source)}.`] : null,
    result.because ? [code(result.reason), ` ${result.because}`] : null,
    result.tags?.length > 0 ? ["Tags: ", ...listed(result.tags)] : null,
    result.keys?.length > 0 ? ["Under ", ...listed(result.keys)] : null,
  ]);
  content.append(...head(result.headers_added, "Fields that the client sees added"));
  return content;
}

const source = (word) => ({ heuristic: "a heuristic", negative: "the rule for errors", origin: "the origin", rule: "the rule" })[word] ?? word ?? "nobody";
const seconds = (number) => (typeof number === "number" ? (number < 120 ? plural(number, "second", "seconds") : span(number * 1000)) : "an unknown time");
const code = (text) => el("code", {}, String(text));
const listed = (texts) => texts.flatMap((text, at) => (at === 0 ? [code(text)] : [", ", code(text)]));

function step(title, lines) {
  const shown = lines.filter((line) => line !== null && line.join?.("") !== "");
  return el("li", {}, el("h3", {}, ...title), ...shown.map((line) => el("p", {}, ...line)));
}

function head(pairs, title) {
  if (!Array.isArray(pairs) || pairs.length === 0) {
    return [];
  }
  const rows = pairs.map(([name, value]) => el("tr", {}, el("th", { scope: "row" }, String(name)), el("td", {}, String(value))));
  return [el("table", { class: "head" }, el("caption", {}, title), el("tbody", {}, ...rows))];
}
