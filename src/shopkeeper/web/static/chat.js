// The chat panel: a modal dialog over the page /chat, which works without it. What is said is set as text, never as markup.
"use strict";

class Chat {
  constructor(dialog, opener) {
    this.dialog = dialog;
    this.text = dialog.dataset;
    this.log = dialog.querySelector("[data-chat-log]");
    this.state = dialog.querySelector("[data-chat-state]");
    this.form = dialog.querySelector("[data-chat-form]");
    this.field = this.form.elements.message;
    this.shown = new Set();
    this.looking = 0;
    opener.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      this.open();
    });
    dialog.querySelector("[data-chat-close]").addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
    dialog.addEventListener("close", () => {
      clearTimeout(this.looking);
      sessionStorage.removeItem("chat");
      opener.focus();
    });
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      const message = this.field.value.trim();
      if (message) this.say({ message });
    });
    this.field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      this.form.requestSubmit();
    });
    if (sessionStorage.getItem("chat")) this.open();
  }

  async open() {
    if (!this.dialog.open) this.dialog.showModal();
    sessionStorage.setItem("chat", "open");
    this.field.focus();
    await this.look();
    this.down();
  }

  // What was said so far; while a human has the conversation, asked again and again.
  async look() {
    clearTimeout(this.looking);
    try {
      const answer = await fetch("/chat/lines", { headers: { Accept: "application/json" } });
      if (!answer.ok) throw new Error(String(answer.status));
      const found = await answer.json();
      if (this.busy) return;
      for (const line of found.lines) if (!this.shown.has(line.id)) this.add(line);
      this.waits(found.human);
    } catch {
      this.tell(this.text.failed);
    }
  }

  waits(human) {
    this.tell(human ? this.text.human : "");
    clearTimeout(this.looking);
    if (human && this.dialog.open) this.looking = setTimeout(() => this.look(), 4000);
  }

  tell(text) { if (this.state.textContent !== text) this.state.textContent = text; }

  async say(fields) {
    if (this.busy) return;
    this.busy = true;
    clearTimeout(this.looking);
    for (const choice of this.log.querySelectorAll(".chat-choice")) choice.remove();
    const mine = this.add({ author: "customer", text: fields.message });
    const line = this.add({ author: "assistant", text: "" });
    this.log.setAttribute("aria-busy", "true"); // a screen reader hears the whole answer, not its pieces
    this.tell(this.text.busy);
    try {
      const answer = await fetch("/chat", {
        method: "POST",
        body: new URLSearchParams({ ...fields, item: this.text.item }),
        headers: { Accept: "text/event-stream" },
      });
      if (!answer.ok) throw new Error(String(answer.status));
      this.field.value = "";
      let reply = null;
      for await (const [name, data] of events(answer.body)) {
        if (name === "text") {
          line.said.textContent += data.text;
          this.down();
        } else if (name === "reply") reply = data;
        else throw new Error(String(data.status));
      }
      if (!reply) throw new Error("cut off");
      this.shown.add(reply.turn);
      this.fill(line, reply);
      this.log.removeAttribute("aria-busy");
      this.waits(reply.human);
    } catch (error) {
      line.item.remove();
      mine.item.remove();
      if (!this.field.value) this.field.value = fields.message;
      this.log.removeAttribute("aria-busy");
      this.tell(error.message === "429" ? this.text.slower : this.text.failed);
    } finally {
      this.busy = false;
      this.down();
    }
  }

  add(line) {
    const item = make("div", { className: `turn turn-${line.author}` });
    const who = { customer: this.text.you, staff: this.text.staff }[line.author] || this.text.assistant;
    const said = make("p", { className: "words-said" });
    item.append(make("p", { className: "who", textContent: who }), said);
    this.log.append(item);
    const shown = { item, said };
    if (line.id) this.fill(shown, line);
    else said.textContent = line.text;
    this.down();
    return shown;
  }

  fill({ item, said }, line) {
    this.shown.add(line.id);
    said.textContent = line.text;
    if (line.language) item.lang = line.language;
    if (line.cards.length) item.append(this.cards(line.cards));
    if (line.citations.length) item.append(this.rests(line.citations));
    if (line.proposal) item.append(this.choice(line.proposal));
    if (line.author === "assistant") item.append(this.thumbs(line.id));
  }

  cards(cards) {
    const list = make("ul", { className: "chat-cards" });
    set(list, { "aria-label": this.text.products });
    list.append(...cards.map((card) => {
      const face = make("span", { className: `face small hue-${card.hue}` });
      if (card.image) {
        const picture = make("img", { src: card.image, alt: "", loading: "lazy" });
        if (card.srcset) set(picture, { srcset: card.srcset, sizes: "5rem" });
        picture.addEventListener("error", () => fallback(picture));
        face.append(picture);
      }
      const initial = make("span", { className: "initial", textContent: card.initial });
      set(initial, { "aria-hidden": "true" });
      face.append(initial);
      const words = make("span", {});
      words.append(make("strong", { textContent: card.title }), make("span", { className: "price", textContent: card.price }));
      if (card.reason) words.append(make("small", { textContent: card.reason }));
      const link = make("a", { href: card.href });
      link.append(face, words);
      const line = make("li", {});
      line.append(link);
      return line;
    }));
    return list;
  }

  rests(citations) {
    const details = make("details", { className: "rests" });
    const list = make("ul", {});
    list.append(...citations.map((one) => {
      const line = make("li", {});
      line.append(make("cite", { textContent: one.title }), " ", make("q", { textContent: one.text }));
      return line;
    }));
    details.append(make("summary", { textContent: this.text.rests }), list);
    return details;
  }

  choice(proposal) {
    const row = make("div", { className: "chat-choice" });
    const yes = make("button", { type: "button", className: "button", textContent: this.text.yes });
    const no = make("button", { type: "button", className: "plain", textContent: this.text.no });
    yes.addEventListener("click", () => this.say({ message: this.text.yes, confirm: proposal }));
    no.addEventListener("click", () => this.say({ message: this.text.no }));
    row.append(yes, no);
    return row;
  }

  thumbs(reply) {
    const row = make("div", { className: "thumbs-row" });
    const buttons = [["1", "up", this.text.up], ["0", "down", this.text.down]].map(([up, way, name]) => {
      const button = make("button", { type: "button", className: `thumb thumb-${way}`, title: name });
      set(button, { "aria-label": name, "aria-pressed": "false" });
      button.addEventListener("click", async () => {
        const answer = await fetch("/chat/rating", {
          method: "POST", body: new URLSearchParams({ reply, up }), headers: { Accept: "application/json" },
        });
        if (!answer.ok) return this.tell(this.text.failed);
        for (const one of buttons) one.setAttribute("aria-pressed", String(one === button));
        this.tell((await answer.json()).said);
      });
      return button;
    });
    row.append(...buttons);
    return row;
  }

  down() { this.log.scrollTop = this.log.scrollHeight; }
}

// The events of a stream, each as [name, data] (https://html.spec.whatwg.org/multipage/server-sent-events.html).
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let kept = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (kept + value).split("\n\n");
    kept = blocks.pop();
    for (const block of blocks) {
      const fields = Object.fromEntries(block.split("\n").map((line) => [line.split(": ", 1)[0], line.slice(line.indexOf(": ") + 2)]));
      if (fields.event) yield [fields.event, JSON.parse(fields.data)];
    }
  }
}

const panel = document.querySelector("[data-chat]");
if (panel && !document.querySelector("[data-chat-page], [data-desk]")) new Chat(panel, document.querySelector("[data-chat-open]"));
