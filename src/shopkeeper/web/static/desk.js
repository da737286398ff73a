// The human desk reads itself again every few seconds, unless somebody is at work in the part that would change.
"use strict";

const fresh = document.querySelector("[data-fresh]");

async function renew() {
  if (document.hidden || fresh.contains(document.activeElement)) return;
  const answer = await fetch(location.pathname, { headers: { Accept: "text/html" } });
  if (!answer.ok || answer.redirected) return;
  const found = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-fresh]");
  if (found && found.innerHTML !== fresh.innerHTML && !fresh.contains(document.activeElement)) fresh.replaceChildren(...found.childNodes);
}

if (fresh) setInterval(() => renew().catch(() => {}), 5000);
