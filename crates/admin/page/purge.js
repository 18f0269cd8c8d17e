// Purging, and how it goes round. What a purge would meet only an Envoy can count, so there is no trying it out here.

import { call } from "./api.js";
import { el, find, keep, plural, say, show, span, whole } from "./dom.js";
import { nodesOf } from "./sections.js";

const KINDS = {
  tag: { label: "Tag", hint: "And what is below it: user:42 covers user:42:profile.", example: "user:42" },
  key: { label: "Key or URL", hint: "A readable key, or a URL with its host: of each, every scheme, identity and variant.", example: "GET:api.example.com/users?page=2" },
  pattern: { label: "Pattern", hint: "* stands for anything; one that starts with / is matched from the path on; behind regex: it is a regular expression.", example: "/api/analytics/*" },
  all: { label: "", hint: "Every request goes to the origin until it is stored anew. Consider soft: then what is stored is confirmed, not fetched.", example: "" },
};
const URGENT_MS = 30_000;
const CURSOR = /^[0-9a-f]{16}\.(\d{1,20})\.[0-9a-f]{8}$/;

let followed = null;

const chosen = (name) => find("purge-form").elements[name].value;

/** Makes the form work. `hurry` is told while something is on its way, so that it can be watched. */
export function watchPurge(hurry) {
  const form = find("purge-form");
  for (const radio of form.elements.kind) {
    radio.addEventListener("change", fit);
  }
  fit();
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    purge(hurry);
  });
}

function fit() {
  const kind = chosen("kind");
  const { label, hint, example } = KINDS[kind];
  const isAll = kind === "all";
  show(find("purge-named"), !isAll);
  show(find("purge-sure"), isAll);
  say(find("purge-label"), label);
  say(find("purge-hint"), hint);
  find("purge-value").placeholder = example;
  find("purge-value").required = !isAll;
  find("purge-all").required = isAll;
}

/** What is to be purged, as the API takes it; a text where that is clear without asking. */
function wanted() {
  const kind = chosen("kind");
  const value = find("purge-value").value.trim();
  const order = { mode: chosen("mode") };
  if (kind === "all") {
    return { ...order, all: true };
  }
  if (kind !== "key") {
    return { ...order, [`${kind}s`]: [value] };
  }
  if (value.startsWith("/")) {
    return `Of which host? Write https://host${value}, or choose Pattern to cover all hosts.`;
  }
  return { ...order, [/^https?:\/\//i.test(value) ? "urls" : "keys"]: [value] };
}

async function purge(hurry) {
  const button = find("purge-button");
  if (button.getAttribute("aria-disabled") === "true") {
    return;
  }
  const order = wanted();
  followed = null;
  show(find("purge-result"), true);
  keep(find("purge-nodes"), [], String, null, null);
  fillBar(0);
  if (typeof order === "string") {
    verdict("problem", order);
    return;
  }
  // Disabled for good it would lose the focus.
  button.setAttribute("aria-disabled", "true");
  verdict("", "Purging …");
  try {
    answered(order, await call("POST", "invalidate", order));
    find("purge-all").checked = false;
    hurry();
  } catch (refusal) {
    verdict("problem", refused(refusal));
  } finally {
    button.removeAttribute("aria-disabled");
  }
}

function refused(refusal) {
  if (refusal.status === 401) {
    return "The token is not accepted any more. Nothing was purged.";
  }
  if (refusal.status === 503) {
    return `Nothing is promised: ${refusal.message}. Try again, or purge at an Envoy: it sends on what it was told as soon as it can.`;
  }
  if (refusal.status === 0) {
    return `It is not known whether that was done: ${refusal.message}. To purge twice does no harm.`;
  }
  return `Not done: ${refusal.message}`;
}

function answered(order, answer) {
  const cursor = [answer.cursor, answer.id].find((text) => typeof text === "string" && CURSOR.test(text));
  if (cursor === undefined) {
    verdict("", "Purged. The service has not said where it stands in the log, so it cannot be followed from here.");
    return;
  }
  const what = order.all ? "Everything" : (order.tags ?? order.keys ?? order.urls ?? order.patterns)[0];
  followed = { id: cursor, position: Number(CURSOR.exec(cursor)[1]), what, since: performance.now() };
  verdict("", `${what}: durable. On its way …`);
}

/** Whether something is on its way. */
export const isFollowing = () => followed !== null && !followed.isOver;

/** Whether that is worth looking more often: not where somebody takes long. */
export const isUrgent = () => isFollowing() && performance.now() - followed.since < URGENT_MS;

/** Shows how far it has come round. */
export function follow(overview) {
  if (!isFollowing()) {
    return;
  }
  const known = overview.invalidations.find((one) => one.id === followed.id);
  const one = known ?? { position: followed.position, after_ms: null };
  const has = (instance, place) => (one.after_ms?.[place] ?? null) !== null || (instance.position !== null && instance.position >= one.position);
  const all = overview.instances.length;
  const applied = overview.instances.filter(has).length;
  const silent = overview.instances.filter((instance, place) => !has(instance, place) && instance.state === "silent").length;
  nodesOf(find("purge-nodes"), overview, one);
  fillBar(all === 0 ? 0 : applied / all);
  const took = known?.slowest_ms ?? null;
  if (all === 0) {
    verdict("good", `${followed.what}: durable. No instance is there that would have to apply it.`);
    followed.isOver = true;
  } else if (applied === all) {
    const last = took === null ? "" : all === 1 ? `, after ${span(took)}` : `, the last after ${span(took)}`;
    verdict("good", `${followed.what}: purged. ${all === 1 ? "The one instance has" : `All ${whole(all)} instances have`} applied it${last}.`);
    followed.isOver = true;
  } else {
    const rest = silent > 0 ? `; ${plural(silent, "is", "are")} out of contact, and will before serving anything older for long` : "";
    verdict("", `${followed.what}: durable. ${whole(applied)} of ${whole(all)} instances have applied it${rest}.`);
  }
}

function fillBar(share) {
  find("purge-bar").style.width = `${100 * share}%`;
}

function verdict(kind, text) {
  find("purge-said").className = kind;
  say(find("purge-said"), text);
}
