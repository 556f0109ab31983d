// What a person says of an article: kept here, saved after each act, undone by keeping what was before.
"use strict";

const $ = (id) => document.getElementById(id);
const SAVE_AFTER_MS = 250;
const RETRY_AFTER_MS = 2000;

let about;              // annotator, articles, types, platforms, os_labels, guide
let article;            // what the server showed last, its tag included
let items = new Map();  // key → candidate with verdict and platform
let looked = new Set();
let system = null;
let current = null;     // the key of the item that keys speak of
let parent = null;      // the first half of a lineage
let undone = [];
let done = [];
let saved = "";         // what the registry has, as JSON
let sending = null;
let waiting = 0;

async function start() {
  about = await ask("api/articles");
  document.title = `Label articles as ${about.annotator}`;
  for (const platform of about.platforms) $("platform").append(new Option(platform));
  for (const label of about.os_labels) $("os").append(new Option(label));
  for (const [index, type] of about.types.entries()) {
    $("adding").append(button(`${index + 1} ${type}`, `Add the selected text as ${type} (${index + 1})`, () => add(type)));
    $("types").append(typeSection(type, index));
  }
  fillGuide($("general"), about.guide.general);
  const first = about.articles.findIndex((each) => each.looked.length < about.types.length);
  await open(Math.max(first, 0));
}

async function open(number) {
  await flush();
  show(await ask(`api/articles/${number}`));
  undone = [];
  done = [];
  drawState();
  $("text").scrollIntoView();
}

// Takes over an article as the server has it.
function show(shown) {
  article = shown;
  const said = new Map(shown.judged.map((each) => [each.key, each]));
  items = new Map(shown.candidates.map((each) => {
    const judged = said.get(each.key);
    return [each.key, { ...each, verdict: judged?.verdict ?? null, platform: judged ? judged.platform : each.platform }];
  }));
  looked = new Set(shown.looked);
  system = shown.os_label;
  parent = null;
  current = items.has(current) ? current : ([...items.values()].find((each) => !each.verdict) ?? [...items.values()][0])?.key ?? null;
  saved = JSON.stringify(state());
  $("title").textContent = shown.title || shown.id;
  $("url").textContent = shown.url;
  if (/^https?:/.test(shown.url)) $("url").href = shown.url;
  else $("url").removeAttribute("href");
  drawText($("text"), shown.text, [...items.values()]);
  drawItems();
}

// What is sent: every item with a verdict, the types that were looked at, the system.
function state() {
  const judged = [...items.values()].filter((each) => each.verdict);
  return {
    judged: judged.map(({ type, value, platform, verdict }) => ({ type, value, platform, verdict })),
    looked: about.types.filter((type) => looked.has(type)),
    os_label: system,
  };
}

function act(change) {
  done.push(snapshot());
  undone = [];
  change();
  changed();
}

function snapshot() {
  return { items: new Map([...items].map(([key, each]) => [key, { ...each }])), looked: new Set(looked), system, current };
}

function restore(from, to) {
  if (!from.length) return tell("There is nothing more.");
  to.push(snapshot());
  const before = from.pop();
  const drawn = [...items.keys()].join();
  ({ items, looked, system, current } = before);
  if (drawn !== [...items.keys()].join()) redraw();
  changed();
}

function redraw() {
  drawText($("text"), article.text, [...items.values()]);
  drawItems();
}

function changed() {
  drawState();
  clearTimeout(waiting);
  waiting = setTimeout(save, SAVE_AFTER_MS);
}

function isUnsaved() {
  return article && JSON.stringify(state()) !== saved;
}

async function flush() {
  clearTimeout(waiting);
  while (isUnsaved()) {
    await save();
    if (isUnsaved()) await new Promise((again) => setTimeout(again, RETRY_AFTER_MS));
  }
}

async function save() {
  if (sending) {
    await sending;
    return save();
  }
  if (!isUnsaved()) return undefined;
  sending = send(article.number, state());
  try {
    await sending;
  } finally {
    sending = null;
  }
  return undefined;
}

async function send(number, sent) {
  tellSaved("saving …");
  let answer;
  try {
    answer = await fetch(`api/articles/${number}`, { method: "PUT", body: JSON.stringify({ ...sent, tag: article.tag }) });
    if (answer.status === 409) return takeOver((await answer.json()).article, sent);
    if (!answer.ok) throw new Error((await answer.text()).slice(0, 300));
    article.tag = (await answer.json()).tag;
    saved = JSON.stringify(sent);
    about.articles[number].looked = sent.looked;
    tellSaved(isUnsaved() ? "saving …" : "saved");
    drawProgress();
  } catch (error) {
    tellSaved(`not saved: ${answer ? error.message : "the server does not answer"}; trying again`, true);
    clearTimeout(waiting);
    waiting = setTimeout(save, RETRY_AFTER_MS);
  }
  return undefined;
}

// Somebody else wrote the label, mostly another window of the same person: what was said here goes on top of it.
function takeOver(theirs, ours) {
  const before = JSON.parse(saved);
  const was = new Map(before.judged.map((each) => [`${each.type}\n${each.value}`, each.verdict]));
  const news = ours.judged.filter((each) => was.get(`${each.type}\n${each.value}`) !== each.verdict);
  show(theirs);
  for (const each of news) {
    const item = find(each.type, each.value) ?? insert(each.type, each.value);
    item.verdict = each.verdict;
    item.platform = each.platform;
  }
  for (const type of about.types) {
    if (before.looked.includes(type) === ours.looked.includes(type)) continue;
    if (ours.looked.includes(type)) looked.add(type);
    else looked.delete(type);
  }
  if (ours.os_label !== before.os_label) system = ours.os_label;
  redraw();
  tell("This label was changed elsewhere: what you said last was put on top of it.");
  changed();
}

function judge(verdict) {
  const item = items.get(current);
  if (!item) return;
  act(() => {
    item.verdict = item.verdict === verdict ? null : verdict;
  });
  step(1);
}

function setLooked(type) {
  act(() => {
    if (looked.has(type)) looked.delete(type);
    else looked.add(type);
  });
}

// Adds the selected text, or what the person types where nothing is selected.
function add(type) {
  const selection = selectedIn($("text"));
  if (type === "process_lineage" && selection && !/->|→/.test(selection.text)) return addEnd(selection);
  if (!selection) return edit(null, type);
  return put(type, selection.text, [[selection.start, selection.end]]);
}

function addEnd(selection) {
  if (!parent) {
    parent = selection;
    return tell(`Parent: ${selection.text}. Select the child, and add it in the same way.`);
  }
  const spans = [parent, selection].map(({ start, end }) => [start, end]);
  const value = `${parent.text} -> ${selection.text}`;
  parent = null;
  return put("process_lineage", value, spans);
}

function put(type, value, spans) {
  act(() => {
    const item = find(type, value) ?? insert(type, value, spans);
    item.verdict = "accepted";
    current = item.key;
  });
  redraw();
  drawState();
  window.getSelection().removeAllRanges();
  tell(`Added to ${type}: ${value}`);
}

function find(type, value) {
  return [...items.values()].find((each) => each.type === type && each.value === value);
}

function insert(type, value, spans = placesOf(value)) {
  const item = { key: `${type}\n${value}`, type, value, platform: null, origins: [{ kind: "own", name: about.annotator }], spans, verdict: null };
  items.set(item.key, item);
  return item;
}

function placesOf(value) {
  const at = article.text.indexOf(value);
  return at < 0 ? [] : [[at, at + value.length]];
}

function edit(key, type) {
  const item = key ? items.get(key) : null;
  $("editing").textContent = item ? `Edit ${item.type}` : `Add to ${type}`;
  $("value").value = item ? item.value : "";
  $("platform").value = item?.platform ?? "";
  $("editor").returnValue = "";
  $("editor").onclose = () => {
    const value = $("value").value.trim();
    if ($("editor").returnValue === "keep" && value) edited(item, item ? item.type : type, value, $("platform").value || null);
    $("text").focus({ preventScroll: true });
  };
  $("editor").showModal();
  $("value").focus();
}

function edited(item, type, value, platform) {
  act(() => {
    if (item && item.value !== value) {
      if (item.origins.every(({ kind }) => kind === "own")) items.delete(item.key);
      else item.verdict = "rejected";
    }
    const kept = find(type, value) ?? insert(type, value);
    kept.verdict = "accepted";
    kept.platform = platform;
    current = kept.key;
  });
  redraw();
  drawState();
}

function step(by) {
  const keys = ordered().map((each) => each.key);
  if (!keys.length) return;
  const at = keys.indexOf(current);
  current = keys[Math.min(Math.max(at + by, 0), keys.length - 1)];
  drawState();
  reveal();
}

function reveal() {
  document.querySelector('li[aria-current="true"]')?.scrollIntoView({ block: "nearest" });
  document.querySelector("mark.now")?.scrollIntoView({ block: "nearest" });
}

function ordered() {
  const first = (each) => each.spans[0]?.[0] ?? Infinity;
  const all = [...items.values()];
  return about.types.flatMap((type) => all.filter((each) => each.type === type).sort((a, b) => first(a) - first(b)));
}

function typeSection(type, index) {
  const section = element("section", "type", { id: `type-${type}` });
  const head = element("div", "head");
  const title = element("h2", "", { textContent: `${index + 1} ${type}` });
  const toggle = button("", `All of the text was looked through for ${type} (Shift+${index + 1})`, () => setLooked(type));
  toggle.classList.add("looked");
  head.append(title, element("span", "count"), toggle, button("Add …", `Add to ${type} (${index + 1})`, () => add(type)));
  const guide = element("details");
  guide.append(element("summary", "", { textContent: "What counts" }), element("div"));
  fillGuide(guide, about.guide[type]);
  section.append(head, guide, element("ul", "items"));
  return section;
}

function fillGuide(details, html) {
  details.hidden = !html;
  details.querySelector("div").innerHTML = html ?? "";
}

function drawItems() {
  const all = ordered();
  for (const type of about.types) {
    const list = $(`type-${type}`).querySelector(".items");
    list.replaceChildren(...all.filter((each) => each.type === type).map(itemOf));
  }
}

function itemOf(item) {
  const line = element("li", "", { tabIndex: -1 });
  line.dataset.key = item.key;
  const acts = element("div", "acts");
  const platform = element("select", "", { title: "Platform" });
  platform.setAttribute("aria-label", `Platform of ${item.value}`);
  platform.append(new Option("platform?", ""), ...about.platforms.map((each) => new Option(each)));
  platform.onchange = () => act(() => {
    items.get(item.key).platform = platform.value || null;
    items.get(item.key).verdict ??= "accepted";
  });
  const from = item.origins.map(({ kind, name }) => `${LETTERS[kind]} ${name || "another person"}`).join(", ");
  const place = item.spans.length ? "" : "; stands nowhere in the text";
  acts.append(
    element("span", "verdict"),
    button("Accept", "Accept (a)", () => choose(item.key, "accepted")),
    button("Reject", "Reject (r)", () => choose(item.key, "rejected")),
    button("Edit", "Edit (e)", () => edit(item.key)),
    platform,
    element("span", "", { textContent: from + place }),
  );
  line.append(element("code", "", { textContent: item.value }), acts);
  line.onclick = (event) => {
    if (event.target.closest("button, select")) return;
    current = item.key;
    drawState();
    document.querySelector("mark.now")?.scrollIntoView({ block: "center" });
  };
  return line;
}

function choose(key, verdict) {
  current = key;
  judge(verdict);
}

// Shows what is said now on what is drawn already.
function drawState() {
  for (const line of document.querySelectorAll(".items li")) {
    const item = items.get(line.dataset.key);
    if (!item) continue;
    line.className = item.verdict ?? "";
    line.setAttribute("aria-current", String(item.key === current));
    line.querySelector(".verdict").textContent = item.verdict === "accepted" ? "✓ accepted" : item.verdict === "rejected" ? "✗ rejected" : "undecided";
    line.querySelector("select").value = item.platform ?? "";
  }
  const all = [...items.values()];
  for (const type of about.types) {
    const of = all.filter((each) => each.type === type);
    const accepted = of.filter((each) => each.verdict === "accepted").length;
    const open = of.filter((each) => !each.verdict).length;
    const section = $(`type-${type}`);
    section.querySelector(".count").textContent = `${accepted} accepted, ${open} undecided`;
    const toggle = section.querySelector(".looked");
    toggle.setAttribute("aria-pressed", String(looked.has(type)));
    toggle.textContent = looked.has(type) ? (accepted ? "✓ looked at: these are all" : "✓ looked at: nothing here") : "Looked at";
  }
  styleMarks($("text"), (key) => items.get(key), current);
  $("os").value = system ?? "";
  $("undo").disabled = !done.length;
  $("redo").disabled = !undone.length;
  $("previous").disabled = article.number === 0;
  $("next").disabled = article.number === about.articles.length - 1;
  drawProgress();
}

function drawProgress() {
  const whole = about.articles.filter((each) => each.looked.length === about.types.length).length;
  $("progress").textContent = `article ${article.number + 1} of ${about.articles.length}, ${looked.size} of ${about.types.length} types looked at; ${whole} articles done`;
  $("bar").max = about.articles.length;
  $("bar").value = whole;
}

function tell(text) {
  $("message").textContent = text;
  $("message").hidden = false;
  clearTimeout(tell.timer);
  tell.timer = setTimeout(() => { $("message").hidden = true; }, 6000);
}

function tellSaved(text, isBad = false) {
  $("saved").textContent = text;
  $("saved").className = isBad ? "bad" : "";
}

function element(name, className = "", properties = {}) {
  return Object.assign(document.createElement(name), { className }, properties);
}

function button(text, title, does) {
  const made = element("button", "", { type: "button", textContent: text, title });
  // a click takes the selection away before it is read
  made.onmousedown = (event) => event.preventDefault();
  made.onclick = does;
  return made;
}

async function ask(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

const go = (by) => {
  const number = article.number + by;
  return number >= 0 && number < about.articles.length ? open(number).catch((error) => tell(error.message)) : undefined;
};
const KEYS = {
  j: () => step(1), ArrowDown: () => step(1), k: () => step(-1), ArrowUp: () => step(-1),
  a: () => judge("accepted"), r: () => judge("rejected"), e: () => current && edit(current),
  u: () => restore(done, undone), U: () => restore(undone, done),
  n: () => go(1), p: () => go(-1), "?": () => $("keys").showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.target.id === "value" && event.key === "Enter" && event.ctrlKey) $("keep").click();
  if (!article || document.querySelector("dialog[open]") || event.target.closest("select, textarea, input")) return;
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") {
    event.preventDefault();
    return event.shiftKey ? KEYS.U() : KEYS.u();
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const digit = /^Digit([1-9])$/.exec(event.code)?.[1];
  const type = digit && about.types[digit - 1];
  const does = type ? () => (event.shiftKey ? setLooked(type) : add(type)) : KEYS[event.key];
  if (!does || (event.key.startsWith("Arrow") && event.shiftKey)) return;
  event.preventDefault();
  does();
});
$("text").addEventListener("click", (event) => {
  const mark = event.target.closest("mark");
  if (!mark || selectedIn($("text"))) return;
  current = JSON.parse(mark.dataset.keys)[0];
  drawState();
  reveal();
});
$("os").onchange = () => act(() => { system = $("os").value || null; });
$("undo").onclick = KEYS.u;
$("redo").onclick = KEYS.U;
$("previous").onclick = KEYS.p;
$("next").onclick = KEYS.n;
$("help").onclick = KEYS["?"];
window.addEventListener("online", save);
window.addEventListener("beforeunload", (event) => { if (isUnsaved()) event.preventDefault(); });
start().catch((error) => tellSaved(error.message, true));
