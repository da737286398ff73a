// Small comforts; every page works without them.
"use strict";

const toast = document.querySelector("[data-toast]");
let hiding = 0;

function say(text) {
  toast.textContent = text;
  toast.classList.add("shown");
  clearTimeout(hiding);
  hiding = setTimeout(() => toast.classList.remove("shown"), 2600);
}

function count(pieces) {
  for (const badge of document.querySelectorAll("[data-pieces]")) {
    badge.textContent = pieces;
    badge.hidden = pieces === 0;
  }
}

async function post(form) {
  const answer = await fetch(form.action, {
    method: "POST",
    body: new URLSearchParams(new FormData(form)),
    headers: { Accept: "application/json" },
  });
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  const deed = form.dataset.quiet;
  if (!deed) return;
  event.preventDefault();
  try {
    const answer = await post(form);
    count(answer.basket);
    say(answer.said);
    const card = form.closest("[data-card]");
    if (deed === "add") form.querySelector("button").textContent = answer.said;
    else if (card) {
      card.classList.add("gone");
      setTimeout(() => card.remove(), 350);
    } else location.assign(new FormData(form).get("back"));
  } catch {
    form.submit();
  }
});

for (const select of document.querySelectorAll("[data-submit]")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}

for (const form of document.querySelectorAll("[data-look], [data-auto]")) {
  form.addEventListener("change", () => form.requestSubmit());
}

// Empty fields need not stand in the address.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "get") return;
  for (const field of form.elements) if (field.name && field.value === "") field.disabled = true;
  setTimeout(() => { for (const field of form.elements) field.disabled = false; }, 0);
});

// A picture that cannot be loaded gives way to the drawn one.
function fallback(picture) { picture.classList.add("missing"); }
for (const picture of document.querySelectorAll(".face img")) {
  picture.addEventListener("error", () => fallback(picture));
  if (picture.complete && picture.naturalWidth === 0) fallback(picture);
}

for (const link of document.querySelectorAll("[data-thumb]")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    const large = document.querySelector(".face.large img");
    large.removeAttribute("srcset");
    large.src = link.href;
  });
}

// Shelves that are longer than the window can be leafed through.
for (const rail of document.querySelectorAll("[data-rail]")) {
  const [back, on] = [["‹", rail.dataset.earlier, -1], ["›", rail.dataset.later, 1]].map(([sign, label, way]) => {
    const button = make("button", { type: "button", className: "leaf", textContent: sign });
    button.setAttribute("aria-label", label);
    button.addEventListener("click", () => rail.scrollBy({ left: way * 0.9 * rail.clientWidth, behavior: "smooth" }));
    return button;
  });
  rail.previousElementSibling.append(back, on);
  const fit = () => {
    const room = rail.scrollWidth - rail.clientWidth;
    back.hidden = on.hidden = room < 8;
    back.disabled = rail.scrollLeft < 8;
    on.disabled = rail.scrollLeft > room - 8;
  };
  rail.addEventListener("scroll", fit, { passive: true });
  new ResizeObserver(fit).observe(rail);
}

// Filters stand open where there is room for them.
const sieve = document.querySelector("[data-sieve]");
if (sieve) {
  const wide = matchMedia("(min-width: 60rem)");
  const fit = () => { sieve.open = wide.matches; };
  wide.addEventListener("change", fit);
  fit();
}
document.documentElement.classList.add("scripted");

// Suggestions under the search box: a combobox with a list (WAI-ARIA authoring practices). The server cuts each line into
// pieces, so that characters are counted in one place; they are set as text here, never as markup.
class Suggestions {
  constructor(field) {
    this.field = field;
    this.links = [];
    this.active = -1;
    this.composing = false;
    this.waiting = 0;
    this.request = null;
    this.list = make("div", { className: "offers", id: "offers", hidden: true });
    this.status = make("p", { className: "unseen" });
    set(this.list, { role: "listbox", "aria-label": field.dataset.suggestLabel });
    set(this.status, { role: "status" });
    set(field, {
      role: "combobox", "aria-autocomplete": "list", "aria-haspopup": "listbox",
      "aria-expanded": "false", "aria-controls": "offers",
    });
    field.form.append(this.list, this.status);
    field.addEventListener("compositionstart", () => { this.composing = true; });
    field.addEventListener("compositionend", () => { this.composing = false; this.later(); });
    field.addEventListener("input", () => { if (!this.composing) this.later(); });
    field.addEventListener("keydown", (event) => this.key(event));
    field.addEventListener("blur", () => this.close());
    this.list.addEventListener("pointerdown", (event) => event.preventDefault());
    this.list.addEventListener("click", () => this.close()); // so that it is closed when the visitor comes back
    field.form.addEventListener("submit", () => this.close());
  }

  later() {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => (this.field.value.trim() ? this.ask() : this.close()), 120);
  }

  async ask() {
    clearTimeout(this.waiting);
    this.request?.abort();
    const request = this.request = new AbortController();
    try {
      const address = `${this.field.dataset.suggest}?q=${encodeURIComponent(this.field.value)}`;
      const answer = await fetch(address, { signal: request.signal, headers: { Accept: "application/json" } });
      if (!answer.ok) throw new Error(String(answer.status));
      const found = await answer.json();
      if (this.request === request && document.activeElement === this.field) this.show(found);
    } catch {
      if (this.request === request) this.close();
    }
  }

  show(found) {
    this.links = [];
    this.list.replaceChildren(...found.groups.map((group) => this.group(group)));
    this.choose(-1);
    const any = this.links.length > 0;
    this.list.hidden = !any;
    set(this.field, { "aria-expanded": String(any) });
    this.status.textContent = found.said;
  }

  group(group) {
    const title = make("p", { textContent: group.title, id: `offers-${group.name}` });
    const part = make("div", {});
    set(part, { role: "group", "aria-labelledby": title.id });
    set(title, { role: "presentation" });
    part.append(title, ...group.lines.map((line) => this.line(line)));
    return part;
  }

  line(line) {
    const link = make("a", { href: line.href, id: `offer-${this.links.length}`, tabIndex: -1 });
    set(link, { role: "option", "aria-selected": "false" });
    const text = make("span", {});
    text.append(...line.pieces.map(([piece, typed]) => (typed ? make("mark", { textContent: piece }) : piece)));
    link.append(text);
    if (line.note) link.append(make("small", { textContent: line.note }));
    this.links.push(link);
    return link;
  }

  choose(place) {
    this.links[this.active]?.setAttribute("aria-selected", "false");
    this.active = place;
    const link = this.links[place];
    if (!link) return this.field.removeAttribute("aria-activedescendant");
    set(link, { "aria-selected": "true" });
    set(this.field, { "aria-activedescendant": link.id });
    link.scrollIntoView({ block: "nearest" });
  }

  close() {
    clearTimeout(this.waiting);
    this.request?.abort();
    this.request = null;
    this.list.hidden = true;
    this.status.textContent = "";
    this.choose(-1);
    set(this.field, { "aria-expanded": "false" });
  }

  key(event) {
    if (event.isComposing || this.composing || event.keyCode === 229) return; // the input method's own keys
    const open = !this.list.hidden;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      if (!open) return void this.ask();
      const places = this.links.length + 1; // one of them is the field itself
      this.choose(((this.active + 1 + step + places) % places) - 1);
    } else if (event.key === "Enter" && open && this.active >= 0) {
      event.preventDefault();
      this.links[this.active].click();
    } else if (event.key === "Escape" && open) {
      event.preventDefault();
      this.close();
    }
  }
}

function make(tag, properties) { return Object.assign(document.createElement(tag), properties); }
function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
}
for (const field of document.querySelectorAll("[data-suggest]")) new Suggestions(field);
