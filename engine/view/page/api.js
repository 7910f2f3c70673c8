// What the page asks of the server, and how failures are said. A page without a server answers itself: local.js.
"use strict";
window.TE = window.TE || {};
(() => {
  const message = document.getElementById("message");
  let standing = "", said = ""; // what is true of the run as long as it is shown; and what was said last
  TE.say = (text) => {
    said = text;
    message.textContent = [standing, text].filter(Boolean).join(" ");
    message.hidden = !message.textContent;
  };
  TE.sayOfRun = (text) => {
    standing = text;
    TE.say(said);
  };
  TE.byId = (id) => document.getElementById(id);
  TE.make = (tag, parent, text = "", attributes = {}) => {
    const element = document.createElement(tag);
    if (text) element.textContent = text;
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (parent) parent.append(element);
    return element;
  };
  TE.query = (values) => {
    const given = Object.entries(values).filter(([, value]) => value !== "" && value !== undefined && value !== null);
    return given.length ? `?${new URLSearchParams(given)}` : "";
  };

  const GONE = "The viewer has stopped. Start it again: tile-engine view";
  const ask = async (path, options = {}) => {
    let answer;
    try {
      answer = await fetch(`/api/${path}`, options);
    } catch {
      TE.say(GONE);
      throw new Error(GONE);
    }
    if (answer.ok) return answer;
    const { error } = await answer.json().catch(() => ({ error: answer.statusText }));
    throw new Error(error);
  };
  TE.api = {
    url: (path, values = {}) => (TE.answers ? TE.local.url(path, values) : `/api/${path}${TE.query(values)}`),
    get: async (path, values = {}, signal = undefined) => {
      if (TE.answers) return TE.local.get(path, values);
      return (await ask(path + TE.query(values), { signal })).json();
    },
    bytes: async (path) => (TE.answers ? TE.local.bytes(path) : (await ask(path)).arrayBuffer()),
    post: async (path, value) =>
      (await ask(path, { method: "POST", headers: { "Content-Type": "application/json", "X-Tile-Engine": "1" }, body: JSON.stringify(value) })).json(),
  };
})();
