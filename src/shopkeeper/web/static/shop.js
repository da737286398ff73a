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
    if (deed === "add") form.querySelector("[data-add]").textContent = answer.said;
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

for (const form of document.querySelectorAll("[data-auto]")) {
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
    document.querySelector(".face.large img").src = link.href;
  });
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
