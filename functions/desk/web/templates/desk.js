"use strict";
// The page works without this script. The script adds transcript entries, counts the waiting time, and shows updates.
const page = document.body.dataset;
const LIVE = ["urgency", "headline", "explanation", "facts", "history"];
const OVERLAP = 2; // so many entries are requested again, since the text of the latest may have been cut

function inWords(seconds) {
  const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  let rest = Math.max(Math.floor(seconds), 0);
  const counts = units.map(([unit, size]) => {
    const count = Math.floor(rest / size);
    rest %= size;
    return [count, unit];
  });
  const largest = counts.findIndex(([count]) => count > 0);
  if (largest < 0) return "0 seconds";
  const said = counts.slice(largest, largest + 2).filter(([count]) => count > 0);
  return said.map(([count, unit]) => `${count} ${unit}${count === 1 ? "" : "s"}`).join(" ");
}

let readAt = performance.now();
function tick() {
  const time = document.querySelector("#waiting time");
  if (!time || !("ticking" in time.dataset)) return;
  time.textContent = inWords(Number(time.dataset.seconds) + (performance.now() - readAt) / 1000);
}

async function fetched(url) {
  const answer = await fetch(url, {cache: "no-store", signal: AbortSignal.timeout(8000)});
  // The link has expired, or the person is not on call any more: the page says so when it is loaded again.
  if (answer.status === 403 || answer.status === 410) location.reload();
  if (!answer.ok) throw new Error(`the desk answered ${answer.status}`);
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

function show(entries) {
  const list = document.getElementById("turns");
  const atEnd = window.innerHeight + window.scrollY >= document.documentElement.scrollHeight - 40;
  const before = list.childElementCount;
  for (const entry of entries) {
    const there = document.getElementById(entry.id);
    if (!there) list.append(entry);
    else if (there.textContent !== entry.textContent) there.replaceWith(entry);
  }
  document.getElementById("nothing-said").hidden = list.childElementCount > 0;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  if (atEnd && window.scrollY > 0 && list.childElementCount > before) {
    window.scrollTo({top: document.documentElement.scrollHeight, behavior: calm ? "auto" : "smooth"});
  }
}

function replace(id, next) {
  const here = document.getElementById(id);
  const there = next.getElementById(id);
  if (here && there && here.innerHTML !== there.innerHTML) here.innerHTML = there.innerHTML;
}

async function refresh() {
  const next = await fetched(location.pathname);
  const state = next.body.dataset.state;
  if (!state) return location.reload();
  // While a note is being written, its form is not replaced. It is updated when the page is next loaded.
  const resolve = document.getElementById("resolve");
  const there = next.getElementById("resolve");
  const writing = resolve && resolve.open;
  if (!writing && Boolean(resolve) !== Boolean(there)) return location.reload();
  if (resolve && there && !writing) replace("resolve", next);
  LIVE.forEach((id) => replace(id, next));
  const focused = document.activeElement && document.activeElement.id;
  replace("actions", next);
  replace("waiting", next);
  readAt = performance.now();
  const form = next.querySelector("input[name=form]");
  if (form) document.querySelectorAll("input[name=form]").forEach((input) => { input.value = form.value; });
  if (focused && document.activeElement === document.body) document.getElementById(focused)?.focus();
  document.querySelector(".notice")?.remove();
  document.title = next.title;
  Object.assign(page, {state, tone: next.body.dataset.tone, every: next.body.dataset.every});
}

let timer = 0;
async function update() {
  clearTimeout(timer);
  const link = document.getElementById("link");
  try {
    const last = document.getElementById("turns").lastElementChild;
    const after = last ? Number(last.dataset.index) - OVERLAP : -1;
    const list = (await fetched(`${page.updates}?after=${after}`)).querySelector("ol");
    show([...list.children]);
    if (list.dataset.state !== page.state) await refresh();
    link.textContent = "Live";
    delete link.dataset.lost;
  } catch {
    link.textContent = "Offline";
    link.dataset.lost = "";
  }
  clearTimeout(timer);
  timer = setTimeout(update, Number(page.every));
}

// Prevents a second tap: the button is disabled once the form has been sent.
document.addEventListener("submit", (event) => {
  const button = event.target.querySelector("button");
  setTimeout(() => { button.disabled = true; button.setAttribute("aria-busy", "true"); });
});
document.addEventListener("visibilitychange", () => { if (document.hidden) clearTimeout(timer); else update(); });
window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
if (location.search) history.replaceState(null, "", location.pathname);
setInterval(tick, 1000);
update();
