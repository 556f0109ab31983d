// The article's text with its marks: where candidates stand, who found them, and what was said of them.
"use strict";

const LETTERS = { own: "Y", person: "P", model: "M", rule: "R" };

// Cuts the text where any span begins or ends, so that marks that overlap lie side by side.
function drawText(root, text, items) {
  const spans = items.flatMap((item) => item.spans.map(([start, end]) => ({ start, end, item })));
  const cuts = [...new Set(spans.flatMap(({ start, end }) => [start, end]))].sort((a, b) => a - b);
  const starting = new Map(cuts.map((cut) => [cut, []]));
  for (const span of spans) starting.get(span.start).push(span);
  const drawn = document.createDocumentFragment();
  let open = [];
  let from = 0;
  for (const [index, cut] of cuts.entries()) {
    drawn.append(text.slice(from, cut));
    from = cuts[index + 1] ?? cut;
    const beginning = starting.get(cut);
    open = [...open.filter((span) => span.end > cut), ...beginning];
    if (!open.length) {
      from = cut;
      continue;
    }
    drawn.append(markOf(text.slice(cut, from), open, beginning));
  }
  drawn.append(text.slice(from));
  root.replaceChildren(drawn);
}

function markOf(text, open, beginning) {
  const mark = document.createElement("mark");
  mark.textContent = text;
  mark.dataset.keys = JSON.stringify(open.map(({ item }) => item.key));
  const letters = [...new Set(beginning.flatMap(({ item }) => item.origins.map(({ kind }) => LETTERS[kind])))];
  if (letters.length) mark.dataset.letters = letters.join("");
  mark.title = open.map(({ item }) => `${item.type}: ${item.origins.map((each) => each.name || each.kind).join(", ")}`).join("\n");
  return mark;
}

// Shows what is said now, without drawing the text again.
function styleMarks(root, itemOf, current) {
  for (const mark of root.querySelectorAll("mark")) {
    const items = JSON.parse(mark.dataset.keys).map(itemOf).filter(Boolean);
    const kinds = items.flatMap((item) => item.origins.map(({ kind }) => kind));
    const kind = ["own", "person", "model", "rule"].find((each) => kinds.includes(each));
    const verdicts = items.map((item) => item.verdict);
    const verdict = verdicts.includes("accepted") ? "accepted" : verdicts.every((each) => each === "rejected") ? "rejected" : "";
    mark.className = [kind, verdict, items.some((item) => item.key === current) ? "now" : ""].join(" ").trim();
  }
}

// The characters that are selected inside the article; null where none are.
function selectedIn(root) {
  const selection = window.getSelection();
  if (!selection.rangeCount || selection.isCollapsed) return null;
  const range = selection.getRangeAt(0);
  if (!root.contains(range.startContainer) || !root.contains(range.endContainer)) return null;
  const before = document.createRange();
  before.selectNodeContents(root);
  before.setEnd(range.startContainer, range.startOffset);
  const text = range.toString();
  const start = before.toString().length + text.length - text.trimStart().length;
  return text.trim() ? { text: text.trim(), start, end: start + text.trim().length } : null;
}
