// The six figures, and what they were in the last minutes. The past is kept here, in this tab, and nowhere else.

import { bytes, count, describe, draw, el, find, kept, micros, percent, rate, say, show, spark, whole } from "./dom.js";

const KEPT_MS = 5 * 60_000;
const LATELY_MS = 60_000;
/** Instances report every 5 seconds: over less than this nothing can be said. */
const SMOOTHED_MS = 15_000;
/** And what is so much a second needs as long. */
export const RATED_S = 10;
const COUNTERS = ["hits", "misses", "fetches", "fetches_us", "timed_hits", "timed_hits_us", "evictions", "invalidations"];

/** What was counted since this page began to look: of each instance what has come on top, so nobody's coming or going shows. */
export class History {
  constructor() {
    this.seen = new Map();
    this.samples = [];
    this.sum = Object.fromEntries(COUNTERS.map((name) => [name, 0]));
  }

  add(overview, now) {
    for (const { id, figures } of overview.instances) {
      const before = this.seen.get(id);
      if (before !== undefined) {
        for (const name of COUNTERS) {
          this.sum[name] += Math.max(0, figures[name] - before[name]);
        }
      }
      this.seen.set(id, figures);
    }
    this.forget(overview);
    const memory = overview.totals.shared_bytes + overview.totals.worker_bytes;
    this.samples.push({ now, memory, entries: overview.totals.entries, sum: { ...this.sum }, of: this.perInstance(overview) });
    while (this.samples[0].now < now - KEPT_MS - SMOOTHED_MS) {
      this.samples.shift();
    }
  }

  /** Who has gone may come back; but of thousands that come and go not each is remembered. */
  forget({ instances }) {
    if (this.seen.size > 2 * instances.length + 1000) {
      const present = new Set(instances.map(({ id }) => id));
      Array.from(this.seen.keys()).filter((id) => !present.has(id)).forEach((id) => this.seen.delete(id));
    }
  }

  perInstance(overview) {
    const counted = ({ id, figures }) => [id, [figures.hits, figures.misses]];
    return new Map(overview.instances.map(counted));
  }

  /** The newest sample that is at least so old, or else the oldest. */
  before(place, ms) {
    const now = this.samples[place].now;
    let at = place;
    while (at > 0 && this.samples[at].now > now - ms) {
      at -= 1;
    }
    return this.samples[at];
  }

  /** What came on top in the time up to a sample. */
  between(place, ms) {
    const to = this.samples[place];
    const from = this.before(place, ms);
    const grown = Object.fromEntries(COUNTERS.map((name) => [name, to.sum[name] - from.sum[name]]));
    return { ...grown, memory: to.memory, entries: to.entries, seconds: (to.now - from.now) / 1000 };
  }

  lately() {
    return this.between(this.samples.length - 1, LATELY_MS);
  }

  /** Of one instance in the last minute: hits, misses and seconds. */
  ofInstance(id) {
    const place = this.samples.length - 1;
    const to = this.samples[place];
    const from = this.before(place, LATELY_MS);
    const [end, begin] = [to.of.get(id), from.of.get(id)];
    if (end === undefined || begin === undefined) {
      return { hits: 0, misses: 0, seconds: 0 };
    }
    const grown = (at) => Math.max(0, end[at] - begin[at]);
    return { hits: grown(0), misses: grown(1), seconds: (to.now - from.now) / 1000 };
  }

  /** Points of a line: `value` makes one of what came on top. */
  line(value) {
    const now = this.samples.at(-1).now;
    return this.samples.map((sample, place) => [
      1 - (now - sample.now) / KEPT_MS,
      value(this.between(place, SMOOTHED_MS)),
    ]).filter(([place]) => place >= 0);
  }
}

const lookedUp = (sum) => sum.hits + sum.misses;
const saved = (sum) => Math.max(0, lookedUp(sum) - sum.fetches);
const quotient = (part, all) => (all > 0 ? part / all : null);
const settled = (sum, value) => (sum.seconds >= RATED_S ? value : null);

/** Each figure: its number of these sums, or null where nothing can be said, its line, and what else there is to know. */
const FIGURES = [
  {
    name: "Hit rate",
    text: (sum) => (lookedUp(sum) > 0 ? percent(sum.hits, lookedUp(sum)) : null),
    line: (sum) => quotient(sum.hits, lookedUp(sum)),
    shown: (value) => percent(value, 1),
    range: () => [0, 1],
    note: (totals, sum, isLately) => (lookedUp(totals) === 0 ? "no requests yet" : isLately ? `${percent(totals.hits, lookedUp(totals))} since they began` : ""),
  },
  {
    name: "Response, cached",
    text: (sum) => (sum.timed_hits > 0 ? micros(sum.timed_hits_us / sum.timed_hits) : null),
    line: (sum) => quotient(sum.timed_hits_us, sum.timed_hits),
    shown: micros,
    note: (totals, sum) => faster(lookedUp(sum) > 0 ? sum : totals),
  },
  {
    name: "Response, fresh",
    text: (sum) => (sum.fetches > 0 ? micros(sum.fetches_us / sum.fetches) : null),
    line: (sum) => quotient(sum.fetches_us, sum.fetches),
    shown: micros,
    note: (totals) => (totals.fetches > 0 ? "until the head of the origin’s answer" : ""),
  },
  {
    name: "Origin requests saved",
    isRate: true,
    text: (sum, isLately) => (lookedUp(sum) > 0 ? (isLately ? perSecond(saved(sum), sum.seconds) : count(saved(sum))) : null),
    line: (sum) => settled(sum, quotient(saved(sum), sum.seconds)),
    shown: (value) => perSecond(value, 1),
    note: (totals, sum, isLately) => [
      isLately ? `${count(saved(totals))} since they began` : "",
      totals.fleet_hits > 0 ? `other instances brought ${count(totals.fleet_hits)}` : "",
    ].filter(Boolean).join("; "),
  },
  {
    name: "Requests",
    isRate: true,
    text: (sum, isLately) => (lookedUp(sum) > 0 ? (isLately ? perSecond(lookedUp(sum), sum.seconds) : count(lookedUp(sum))) : null),
    line: (sum) => settled(sum, quotient(lookedUp(sum), sum.seconds)),
    shown: (value) => perSecond(value, 1),
    note: (totals) => (lookedUp(totals) > 0 ? `${count(totals.fetches)} to the origin since they began` : ""),
  },
  {
    name: "Memory",
    isLevel: true,
    text: (sum) => kept(sum.memory, sum.entries),
    line: (sum) => sum.memory,
    shown: bytes,
    note: (totals, sum) => `${count(totals.entries)} entries` + (sum.evictions > 0 ? `, ${count(sum.evictions)} made room in the last minute` : ""),
  },
];

const perSecond = (number, seconds) => `${rate(number / Math.max(seconds, 1))}\u202f/s`;

function faster(sum) {
  const cached = quotient(sum.timed_hits_us, sum.timed_hits);
  const fresh = quotient(sum.fetches_us, sum.fetches);
  return cached > 0 && fresh > 2 * cached ? `${whole(Math.round(fresh / cached))} times as quick as fresh` : cached === null ? "" : "mean of one hit in sixteen";
}

/** Makes the figures of the page those of the moment. */
export function figures(overview, history) {
  const list = find("figures");
  show(find("figures-all"), overview.totals.instances > 0);
  if (list.childElementCount === 0) {
    list.append(...FIGURES.map(place));
  }
  const lately = history.lately();
  const totals = { ...overview.totals, memory: lately.memory, seconds: 0 };
  FIGURES.forEach((figure, at) => {
    const group = list.children[at];
    const recent = lately.seconds >= (figure.isRate ? RATED_S : 4) ? figure.text(lately, true) : null;
    const text = recent ?? figure.text(totals, false);
    say(group.querySelector(".value"), text ?? "–");
    group.classList.toggle("empty", text === null);
    say(group.querySelector(".when"), figure.isLevel ? "now" : text === null ? "" : recent === null ? "since they began" : window(lately.seconds));
    say(group.querySelector(".note"), figure.note(totals, lately, recent !== null));
    line(group.querySelector("svg"), figure, history);
  });
}

/** For how long has been looked. */
function window(seconds) {
  return seconds >= 50 ? "last minute" : `last ${whole(Math.round(seconds))} seconds`;
}

function place(figure) {
  return el(
    "div",
    {},
    el("dt", {}, figure.name, " ", el("span", { class: "when" })),
    el("dd", { class: "value" }),
    el("dd", { class: "history" }, spark()),
    el("dd", { class: "note" }),
  );
}

function line(svg, figure, history) {
  const points = history.line(figure.line);
  const values = points.map(([, value]) => value).filter((value) => value !== null);
  const top = Math.max(...values, 0);
  const [low, high] = figure.range?.() ?? [0, top * 1.1 || 1];
  draw(svg, top > 0 ? points : [], low, high);
  describe(svg, top > 0 ? `Lately between ${figure.shown(Math.min(...values))} and ${figure.shown(top)}` : "");
}
