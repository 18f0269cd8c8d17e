// One call every two seconds; what comes of it is shown, and what does not come is said.

import { call, token } from "./api.js";
import { find, say, show, span } from "./dom.js";
import { History, figures } from "./figures.js";
import { advice, headline, instances, invalidations, reasons, rules, watchInstances } from "./sections.js";
import { follow, isUrgent, watchPurge } from "./purge.js";
import { watchExplain } from "./explain.js";

const EVERY_MS = 2000;
const HURRIED_MS = 400;

let history = new History();
let latest = null;
let heardAt = 0;
let timer = null;
let isAsking = false;
let isPaused = false;

async function refresh() {
  clearTimeout(timer);
  if (isAsking || token.get() === null) {
    return;
  }
  isAsking = true;
  try {
    const overview = await call("GET", "overview");
    heardAt = performance.now();
    latest = overview;
    history.add(overview, heardAt);
    show(find("trouble"), false);
    open();
    draw();
    age();
  } catch (refusal) {
    missed(refusal);
  } finally {
    isAsking = false;
    later();
  }
}

function later() {
  clearTimeout(timer);
  if (token.get() !== null && !document.hidden && (!isPaused || isUrgent())) {
    timer = setTimeout(refresh, isUrgent() ? HURRIED_MS : EVERY_MS);
  }
}

function draw() {
  say(find("fleet"), latest.fleet === "default" ? "" : latest.fleet);
  document.title = latest.totals.silent > 0 ? `(${latest.totals.silent} out of contact) Larder` : "Larder";
  headline(latest);
  figures(latest, history);
  show(find("why"), latest.totals.instances > 0);
  invalidations(latest);
  instances(latest, history);
  rules(latest);
  reasons(latest);
  advice(latest);
  follow(latest);
  say(find("about"), `larder-admin ${latest.version}`);
}

/** What is wrong, and what that means, in plain words. */
function explained({ status, message }) {
  if (status === 0) {
    return ["The service does not answer.", "The Envoys go on without it, each with what it has."];
  }
  if (status === 503 && message.includes("the store")) {
    const [what] = message.split(":");
    return [`${what[0].toUpperCase()}${what.slice(1)}.`, "The service is there, its Redis or Valkey is not as it should be. The Envoys go on, each with what it has; what is purged at one of them reaches the others when the store is back."];
  }
  return [status === 503 ? "The service has no time for this." : "The service could not tell.", `It said: ${message}.`];
}

/** The figures did not come. Those from before stay, and it is said how old they are. */
function missed(refusal) {
  if (refusal.status === 401 || refusal.status === 429) {
    close(refusal.status === 401 ? "This is not the token." : "Too many wrong tokens came from here. Wait a minute, then try again.");
    return;
  }
  const [title, text] = explained(refusal);
  say(find("trouble-title"), title);
  say(find("trouble-text"), text);
  show(find("trouble"), true);
  age();
  if (latest === null) {
    show(find("entrance"), false);
    show(find("controls"), true);
  }
}

function open() {
  const isFirst = find("content").hidden;
  show(find("entrance"), false);
  for (const id of ["content", "contents", "controls"]) {
    show(find(id), true);
  }
  if (isFirst && document.activeElement === document.body) {
    find("main").focus({ preventScroll: true });
  }
}

/** Back to where the token is asked for. */
function close(problem) {
  token.forget();
  clearTimeout(timer);
  latest = null;
  history = new History();
  for (const id of ["content", "contents", "controls", "trouble"]) {
    show(find(id), false);
  }
  show(find("entrance"), true);
  say(find("token-problem"), problem);
  find("token").value = "";
  find("token").focus();
}

function age() {
  const ms = performance.now() - heardAt;
  const isOld = latest !== null && (ms > 4 * EVERY_MS || !find("trouble").hidden);
  document.body.classList.toggle("old", isOld && !isPaused);
  const old = span(Math.floor(ms / 1000) * 1000).replace(".0", "");
  say(find("trouble-age"), latest === null ? "It is asked again every two seconds." : `What stands below is from ${old} ago.`);
  say(find("age"), latest === null ? "" : isOld ? `from ${old} ago` : isPaused ? "paused" : "live");
}

find("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  say(find("token-problem"), "");
  token.set(find("token").value.trim());
  find("token").value = "";
  refresh();
});
find("leave").addEventListener("click", () => close(""));
find("pause").addEventListener("click", () => {
  isPaused = !isPaused;
  find("pause").setAttribute("aria-pressed", String(isPaused));
  age();
  if (!isPaused) {
    refresh();
  }
});
document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : isPaused || refresh()));
setInterval(age, 1000);
watchInstances(() => latest !== null && instances(latest, history));
watchPurge(refresh);
watchExplain();

if (token.get() === null) {
  close("");
} else {
  refresh();
}
