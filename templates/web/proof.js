"use strict";
// The page as the server sets it, swapped in place: when something is chosen, and when a file was
// saved. What is typed, opened or scrolled stays as it is.

const one = (selector, within = document) => within.querySelector(selector);
const KEPT = ["#faults", "#head", "#size", "#findings", "#papers"];
let latest = 0;
let loading = 0;
let asked;

function address() {
  const fields = new URLSearchParams(new FormData(one("#choose")));
  return "/?" + fields;
}

async function fragment(path, options) {
  const answer = await fetch(path, options);
  return answer.text();
}

function swap(selector, page) {
  const old = one(selector), fresh = one(selector, page);
  if (!old || !fresh) return false;
  const open = [...old.querySelectorAll("details")].map((each) => each.open);
  old.innerHTML = fresh.innerHTML;
  old.querySelectorAll("details").forEach((each, at) => { each.open = open[at] ?? each.open; });
  return true;
}

// A letter is loaded behind the one that is shown and takes its place, scrolled as that was.
function swapLetter(page) {
  const old = one("#letter"), fresh = one("#letter", page);
  const shown = one("iframe", old), coming = one("iframe", fresh);
  if (!shown || !coming || old.className !== fresh.className) {
    old.className = fresh.className;
    const top = old.firstElementChild?.scrollTop ?? 0;
    old.innerHTML = fresh.innerHTML;
    if (old.firstElementChild) old.firstElementChild.scrollTop = top;
    return shown || coming ? loaded(one("iframe", old)) : undefined;
  }
  return replaced(coming);
}

function loaded(frame) {
  if (!frame) return undefined;
  return new Promise((done) => frame.addEventListener("load", done, { once: true }));
}

// Of several that are loaded at once, as when a file is saved in two writes, the last one counts.
async function replaced(coming) {
  const mine = ++loading;
  const frame = document.importNode(coming);
  frame.className = "coming";
  one("#letter iframe:not(.coming)").after(frame);
  await loaded(frame);
  const shown = one("#letter iframe:not(.coming)");
  if (mine !== loading || !shown) return frame.remove();
  const top = shown.contentWindow.scrollY;
  frame.contentWindow.scrollTo(0, top);
  shown.remove();
  frame.className = "";
}

// A saved file: the letter first, since that is what the person looks at; then what is said of it.
async function saved(number) {
  const frame = one("#letter iframe:not(.coming)");
  if (frame && number !== document.documentElement.dataset.number) {
    const coming = document.importNode(frame);
    coming.src = frame.dataset.web ?? `/letter.html${address().slice(1)}&number=${number}`;
    await replaced(coming);
    await show({ letter: false });
  } else if (number !== document.documentElement.dataset.number) {
    await show();
  }
}

async function show({ letter = true } = {}) {
  const mine = ++latest;
  const path = address();
  history.replaceState(null, "", path);
  const page = new DOMParser().parseFromString(await fragment(path), "text/html");
  if (mine !== latest) return;
  document.title = page.title;
  for (const name of ["day", "email", "theme"]) {
    const choice = one(`#choose [name=${name}]`), kept = choice.value;
    choice.innerHTML = one(`#choose [name=${name}]`, page).innerHTML;
    choice.value = kept;
  }
  const whole = Boolean(one("#letter")) === Boolean(one("#letter", page));
  if (!whole) return location.reload();
  KEPT.forEach((selector) => swap(selector, page));
  swapHidden(page);
  if (letter && one("#letter")) await swapLetter(page);
  if (mine !== latest) return;
  document.documentElement.dataset.number = page.documentElement.dataset.number;
  askLater();
}

// The test form is about the letter that is shown; the address typed into it stays.
function swapHidden(page) {
  const form = one("#test"), fresh = one("#test", page);
  if (!form || !fresh) return;
  form.querySelectorAll("[type=hidden]").forEach((each) => each.remove());
  fresh.querySelectorAll("[type=hidden]").forEach((each) => form.append(document.importNode(each)));
}

// What takes its time is asked for once the person rests.
function askLater() {
  clearTimeout(asked);
  asked = setTimeout(async () => {
    const mine = latest;
    for (const name of ["templates", "spam"]) {
      const answer = await fragment(`/${name}${address().slice(1)}`);
      const found = one("li", new DOMParser().parseFromString(answer, "text/html")), row = one(`#${name}`);
      if (mine !== latest || !found || !row) return;
      row.className = found.className;
      one(".said", row).textContent = one(".said", found).textContent;
    }
  }, 1500);
}

async function answered(event, into, path, options) {
  event.preventDefault();
  const button = one("button", event.target);
  button.disabled = true;
  one(into).innerHTML = await fragment(path, options).catch(() => "<p class=fault>The preview does not answer. Run newsletter preview again.</p>");
  button.disabled = false;
}

document.addEventListener("change", (event) => {
  if (event.target.form?.id !== "choose") return;
  if (event.target.name === "page") location.assign(address()); // another kind of page
  else show();
});
document.addEventListener("submit", (event) => {
  const fields = new URLSearchParams(new FormData(event.target));
  if (event.target.id === "choose") { event.preventDefault(); show(); }
  if (event.target.id === "try") answered(event, "#trial", `/trial?${fields}&day=${one("#choose [name=day]").value}`);
  if (event.target.id === "test") answered(event, "#sent", "/test", { method: "POST", body: fields });
});

function gone() {
  one("#faults").innerHTML = "<p class=fault>The preview has ended. Run newsletter preview again.</p>";
}

new EventSource("/events").onmessage = (event) => saved(event.data);
addEventListener("unhandledrejection", (event) => { if (event.reason instanceof TypeError) { event.preventDefault(); gone(); } });
askLater();
