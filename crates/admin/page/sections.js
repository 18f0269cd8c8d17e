// How the fleet is, what was invalidated, who is there, why not, and what could be better.

import { ago, count, el, find, keep, kept, percent, plural, rate, say, show, span, version, whole, worded } from "./dom.js";
import { RATED_S } from "./figures.js";

const SHOWN_AT_FIRST = 20;
const SKEWED_MS = 2000;
const STATES = { current: "up to date", behind: "behind", lost: "starts anew", silent: "out of contact" };
/** Whose word it is when the service itself was asked. */
const SERVICE = "0000000000000000";
const WORST = ["silent", "lost", "behind", "current"];

/** How an instance is called. */
export const nodeName = (instance) => instance.node || instance.id;

const marked = (state) => el("span", { class: `state-of ${state}` }, el("span", { class: "dot", "aria-hidden": "true" }), el("span", { class: "word" }));

/** In one sentence, and what is remarkable besides. */
export function headline(overview) {
  const { totals, instances } = overview;
  const all = totals.instances;
  const of = (state) => instances.filter((instance) => instance.state === state);
  const late = of("behind").length + of("lost").length;
  const worst = WORST.find((state) => of(state).length > 0) ?? "nobody";
  const [part, rest] = totals.silent > 0 ? [totals.silent, "out of contact"] : [late, "catching up"];
  let text = "No instance has reported yet.";
  if (all === 1) {
    text = `The one instance is ${part > 0 ? rest : "up to date"}.`;
  } else if (all > 1) {
    text = part > 0 ? `${whole(part)} of ${whole(all)} instances ${part === 1 ? "is" : "are"} ${rest}.` : `All ${whole(all)} instances are up to date.`;
  }
  say(find("headline-words"), text);
  find("headline").className = `state-of ${worst}`;
  keep(find("remarks"), remarksOn(overview, of), ([title]) => title, remarkRow, (item, [, words]) => say(item.lastElementChild, words));
}

const remarkRow = ([title]) => el("li", {}, el("strong", {}, title), " ", el("span"));

function remarksOn({ totals, instances, config }, of) {
  const remarks = [];
  const names = (some) => some.slice(0, 3).map(nodeName).join(", ") + (some.length > 3 ? ` and ${whole(some.length - 3)} more` : "");
  if (totals.instances === 0) {
    remarks.push(["What to do", "Give the filter “admin” in its configuration: each Envoy then reports every five seconds."]);
  }
  if (of("silent").length > 0) {
    const longest = Math.max(...of("silent").map((instance) => instance.heard_ms));
    remarks.push(["Out of contact", `${names(of("silent"))}, for ${span(longest)}. Whoever is alone for longer than “max_unsynced_seconds” asks the origin before it answers.`]);
  }
  if (of("lost").length > 0) {
    remarks.push(["Starts anew", `${names(of("lost"))}: drops all it has, and begins at the end of the log.`]);
  }
  if (of("behind").length > 0) {
    const most = Math.max(...of("behind").map((instance) => instance.behind));
    remarks.push(["Behind", `${names(of("behind"))}: ${of("behind").length > 1 ? "up to " : ""}${plural(most, "invalidation", "invalidations")} still to apply.`]);
  }
  const waiting = instances.filter((instance) => instance.pending > 0);
  if (waiting.length > 0) {
    remarks.push(["Not yet durable", `${plural(totals.pending, "invalidation", "invalidations")} of ${names(waiting)}: applied there, and not yet elsewhere.`]);
  }
  const skewed = instances.filter((instance) => Math.abs(instance.skew_ms ?? 0) >= SKEWED_MS);
  if (skewed.length > 0) {
    remarks.push(["Clocks", `${names(skewed)}: not the time that it is here. Nothing goes wrong by that; its logs are hard to read.`]);
  }
  const old = instances.filter((instance) => instance.state !== "silent" && instance.config !== config);
  if (old.length > 0) {
    remarks.push(["Configuration", `${names(old)}: not yet the one ${version(config)}.`]);
  }
  return remarks;
}

/** What was invalidated lately, and who has applied it. */
export function invalidations(overview) {
  const nodes = new Map(overview.instances.map((instance) => [instance.id, nodeName(instance)]));
  const list = overview.invalidations;
  say(find("invalidations-note"), list.length === 0 ? "Nothing has been invalidated lately." : `The last ${whole(list.length)} of ${whole(overview.position)}.`);
  show(find("invalidations-note"), list.length === 0 || list.length < overview.position);
  keep(find("invalidations-list"), list, (one) => one.id, invalidationRow, (row, one) => {
    const part = (name) => row.querySelector(`.${name}`);
    say(part("when"), ago(one.age_ms));
    say(part("kind"), one.kind === "all" ? "everything" : one.kind);
    say(part("value"), one.value);
    say(part("mode"), one.mode);
    say(part("by"), one.by === SERVICE ? "Asked for at the service." : `Asked for at ${nodes.get(one.by) ?? one.by}.`);
    const all = one.applied + one.waiting;
    say(part("reach"), all === 0 ? "nobody there" : one.waiting === 0 ? `all ${whole(all)}` : `${whole(one.applied)} of ${whole(all)}`);
    part("reach").className = one.waiting === 0 ? "reach" : "reach waiting";
    say(part("lag"), one.slowest_ms === null ? "" : `in ${span(one.slowest_ms)}`);
    part("fill").style.width = `${all === 0 ? 0 : (100 * one.applied) / all}%`;
    if (row.querySelector("details").open) {
      nodesOf(part("nodes"), overview, one);
    }
    row.onceOpen = () => nodesOf(part("nodes"), overview, one);
  });
}

function invalidationRow() {
  const row = el(
    "li",
    {},
    el(
      "details",
      {},
      el(
        "summary",
        {},
        el("span", { class: "what" }, el("span", { class: "kind" }), " ", el("code", { class: "value" }), " ", el("span", { class: "mode" })),
        el("span", { class: "when" }),
        el("span", { class: "spread" }, el("span", { class: "track", "aria-hidden": "true" }, el("span", { class: "fill" })), el("span", { class: "reach" }), el("span", { class: "lag" })),
      ),
      el("p", { class: "note by" }),
      el("ul", { class: "nodes" }),
    ),
  );
  row.querySelector("details").addEventListener("toggle", () => row.onceOpen());
  return row;
}

/** For each instance whether it has applied it, and after how long; who has not comes first. */
export function nodesOf(list, overview, one) {
  const told = overview.instances.map((instance, place) => {
    const after = one.after_ms?.[place] ?? null;
    const has = after !== null || (instance.position !== null && instance.position >= one.position);
    return { instance, has, after };
  });
  told.sort((a, b) => Number(a.has) - Number(b.has) || (b.after ?? -1) - (a.after ?? -1));
  keep(list, told, ({ instance }) => instance.id, () => el("li", {}, marked(""), el("span", { class: "name" })), (item, { instance, has, after }) => {
    const state = has ? "current" : instance.state === "silent" ? "silent" : "behind";
    item.firstElementChild.className = `state-of ${state}`;
    say(item.querySelector(".word"), has ? (after === null ? "applied" : span(after)) : state === "silent" ? "out of contact" : "not yet");
    say(item.querySelector(".name"), nodeName(instance));
  });
}

let isAllShown = false;

/** The less, the more there is to look at. */
function trouble(instance, { config }) {
  const isOdd = Math.abs(instance.skew_ms ?? 0) >= SKEWED_MS || instance.config !== config || instance.pending > 0;
  return 2 * WORST.indexOf(instance.state) - Number(isOdd);
}

/** Who is there, those in trouble first. */
export function instances(overview, history) {
  const filter = find("instances-filter").value.trim().toLowerCase();
  const all = overview.instances;
  const text = ({ id, node, cluster, version, state }) => `${id} ${node} ${cluster} ${version} ${STATES[state]}`.toLowerCase();
  const met = all.filter((instance) => text(instance).includes(filter));
  met.sort((a, b) => trouble(a, overview) - trouble(b, overview));
  const shown = isAllShown ? met : met.slice(0, SHOWN_AT_FIRST);
  show(find("instances-table"), shown.length > 0);
  show(find("instances-search"), all.length > 10 || filter !== "");
  say(find("instances-note"), all.length === 0 ? "None yet." : met.length === 0 ? "None has that." : shown.length < met.length ? `${whole(shown.length)} of ${whole(met.length)}, those in trouble first.` : history.lately().seconds >= RATED_S ? "Hit rate and requests are those of the last minute." : "");
  show(find("instances-more"), met.length > SHOWN_AT_FIRST);
  say(find("instances-more"), isAllShown ? "Show fewer" : `Show all ${whole(met.length)}`);
  keep(find("instances-rows"), shown, (instance) => instance.id, instanceRow, (row, instance) => fill(row, instance, overview, history));
}

export function watchInstances(redraw) {
  find("instances-filter").addEventListener("input", redraw);
  find("instances-more").addEventListener("click", () => {
    isAllShown = !isAllShown;
    redraw();
  });
}

function instanceRow() {
  const cell = (name, label, attributes = {}) => el("td", { class: name, "data-label": label, ...attributes });
  const state = cell("state", "State");
  state.append(marked(""));
  return el(
    "tr",
    {},
    el("th", { scope: "row" }, el("span", { class: "name" }), el("span", { class: "id" })),
    state,
    cell("rate number", "Hit rate"),
    cell("requests number", "Requests"),
    cell("memory number", "Memory"),
    cell("heard number", "Heard"),
    cell("clock number", "Clock"),
    cell("version", "Version"),
    cell("config", "Configuration"),
  );
}

function fill(row, instance, overview, history) {
  const part = (name) => row.querySelector(`.${name}`);
  const lately = history.ofInstance(instance.id);
  const { hits, misses } = instance.figures;
  const recent = lately.hits + lately.misses;
  say(part("name"), nodeName(instance));
  say(part("id"), instance.cluster ? `${instance.cluster} · ${instance.id}` : instance.id);
  part("state-of").className = `state-of ${instance.state}`;
  say(part("word"), STATES[instance.state] + (instance.state === "behind" ? ` by ${whole(instance.behind)}` : ""));
  say(part("rate"), recent > 0 ? percent(lately.hits, recent) : hits + misses > 0 ? percent(hits, hits + misses) : "–");
  say(part("requests"), lately.seconds >= RATED_S ? `${rate(recent / lately.seconds)}\u202f/s` : count(hits + misses));
  say(part("memory"), kept(instance.figures.shared_bytes + instance.figures.worker_bytes, instance.figures.entries));
  say(part("heard"), ago(instance.heard_ms));
  say(part("clock"), skew(instance.skew_ms));
  part("clock").classList.toggle("warn", Math.abs(instance.skew_ms ?? 0) >= SKEWED_MS);
  say(part("version"), instance.version || "–");
  say(part("config"), version(instance.config) + (instance.config === overview.config ? "" : ", not yet the newest"));
  part("config").classList.toggle("warn", instance.config !== overview.config);
}

/** What is below a second is what the report was under way, or nothing to speak of. */
function skew(ms) {
  if (ms === null) {
    return "–";
  }
  return Math.abs(ms) < 1000 ? "as here" : `${ms > 0 ? "+" : "−"}${span(Math.abs(ms))}`;
}

/** How each rule does, the one with most misses first. */
export function rules(overview) {
  show(find("rules"), overview.rules.length > 0);
  keep(find("rules-rows"), overview.rules, (rule) => rule.name, ruleRow, (row, { name, hits, misses, bypasses }) => {
    const part = (kind) => row.querySelector(`.${kind}`);
    const all = hits + misses;
    say(part("name"), name === "unmatched" ? "no rule" : name);
    say(part("share"), all > 0 ? percent(hits, all) : "–");
    part("fill").style.width = `${all === 0 ? 0 : (100 * hits) / all}%`;
    say(part("hits"), count(hits));
    say(part("misses"), count(misses));
    say(part("bypasses"), count(bypasses));
  });
}

function ruleRow() {
  const number = (name, label) => el("td", { class: `${name} number`, "data-label": label });
  return el(
    "tr",
    {},
    el("th", { scope: "row", class: "name" }),
    el("td", { class: "bar" }, el("span", { class: "track", "aria-hidden": "true" }, el("span", { class: "fill" }))),
    number("share", "Hit rate"),
    number("hits", "Hits"),
    number("misses", "Misses"),
    number("bypasses", "Not looked up"),
  );
}

/** Why responses were not stored, and requests not looked up. */
export function reasons(overview) {
  for (const [id, list] of [["not-stored", overview.not_stored], ["bypassed", overview.bypassed]]) {
    const all = list.reduce((sum, reason) => sum + reason.count, 0);
    const items = list.length > 0 ? list : [{ code: "", because: "Nothing so far.", count: 0 }];
    keep(find(id), items, (reason) => reason.code, reasonRow, (row, reason) => {
      say(row.querySelector("code"), reason.code);
      if (row.querySelector(".because").textContent === "") {
        row.querySelector(".because").append(...worded(reason.because));
      }
      say(row.querySelector(".count"), reason.count > 0 ? count(reason.count) : "");
      row.querySelector(".fill").style.width = `${all === 0 ? 0 : (100 * reason.count) / all}%`;
      row.classList.toggle("empty", reason.count === 0);
    });
  }
}

function reasonRow() {
  return el(
    "li",
    {},
    el("code"),
    el("span", { class: "count" }),
    el("span", { class: "track", "aria-hidden": "true" }, el("span", { class: "fill" })),
    el("span", { class: "because" }),
  );
}

/** What could be better, each with a patch that can be copied. */
export function advice(overview) {
  const list = overview.recommendations;
  const items = list.length > 0 ? list : [{ text: "Nothing that the figures would show.", why: "", requests: 0, instances: 0, patch: null, numbers: null }];
  keep(find("advice-list"), items, (one) => one.text, adviceRow, (row, one) => {
    say(row.querySelector(".text"), one.text);
    row.classList.toggle("empty", one.why === "");
    say(row.querySelector(".note"), one.why === "" ? "" : `${one.why}, ${plural(one.requests, "request", "requests")}, seen by ${plural(one.instances, "instance", "instances")}`);
    const hasPatch = one.patch !== null && one.patch !== undefined;
    show(row.querySelector("details"), hasPatch);
    if (hasPatch) {
      say(row.querySelector("pre"), JSON.stringify(one.patch, null, 2));
    }
  });
}

function adviceRow(one) {
  const patch = el("pre", { tabindex: "0", "aria-label": `Patch: ${one.text}` });
  const word = el("span", {}, "Copy");
  const button = el("button", { type: "button", class: "quiet" }, word, el("span", { class: "unseen" }, ` the patch: ${one.text}`));
  button.addEventListener("click", () => copy(patch, word));
  return el(
    "li",
    {},
    el("p", { class: "text" }),
    el("p", { class: "note" }),
    el("details", {}, el("summary", {}, "Patch for ", el("code", {}, "PUT config")), patch, el("p", { class: "row" }, button)),
  );
}

/** To the clipboard; where the browser does not let us (no TLS), what is to be copied is marked. */
async function copy(element, word) {
  let said = "Copied";
  try {
    await navigator.clipboard.writeText(element.textContent);
  } catch {
    getSelection().selectAllChildren(element);
    said = "Marked: press Ctrl+C";
  }
  say(word, said);
  say(find("copied"), said);
  setTimeout(() => {
    say(word, "Copy");
    say(find("copied"), "");
  }, 4000);
}
