// Naming, merging and ignoring clusters: an edited table of clusters goes to the server, which shows it and saves it (saving.js).
"use strict";
(() => {
  const { state, byId, make } = TE;
  const IGNORED = "ignored", GREY = "#9a9a9a";
  let sending = false;

  const begin = () => {
    const level = TE.level(), body = byId("legend").tBodies[0];
    state.editing = true;
    state.edited = false;
    body.replaceChildren();
    level.numbers.forEach((number, i) => {
      const row = make("tr", body, "", { "data-number": number }), cell = make("td", row, "", { colspan: 4 });
      const line = make("div", cell, "", { class: "row" });
      make("input", line, "", { type: "color", "aria-label": `Colour of cluster ${number}`, "data-of": "colour" }).value = level.colours[i];
      make("input", line, "", { type: "text", maxlength: 80, "aria-label": `Name of cluster ${number}`, "data-of": "name" }).value = level.names[i];
      const into = make("select", line, "", { "aria-label": `Cluster ${number} is`, "data-of": "into" });
      make("option", into, "its own", { value: "" });
      make("option", into, "ignored", { value: IGNORED });
      level.numbers.forEach((other, j) => { if (other !== number) make("option", into, `into ${other} ${level.names[j]}`, { value: other }); });
      const name = row.querySelector("[data-of=name]"), colour = row.querySelector("[data-of=colour]");
      const target = level.numbers.indexOf(level.into[number] || number);
      into.value = level.names[target] === IGNORED ? IGNORED : level.into[number] || "";
      for (const field of [name, colour, into]) field.dataset.was = field.value;
      into.addEventListener("change", () => {
        if (into.value === IGNORED) [name.value, colour.value] = [IGNORED, GREY];
        else if (name.value === IGNORED) name.value = "";
      });
      name.placeholder = `cluster ${number}`;
      name.addEventListener("input", () => {
        if (name.value === IGNORED) into.value = IGNORED;
        else if (into.value === IGNORED) into.value = "";
      });
    });
    drawEdit();
    body.querySelector("input[type=text]")?.focus();
  };
  const drawEdit = () => {
    byId("edit-row").hidden = !state.editing;
    byId("edit").setAttribute("aria-pressed", state.editing);
    byId("level").disabled = byId("level-reset").disabled = byId("run").disabled = state.editing; // names are of one level of one run
    byId("save").disabled = byId("cancel").disabled = sending;
    byId("edit").disabled = sending || state.folder.read_only;
  };
  const end = () => {
    state.editing = false;
    drawEdit();
    TE.drawLegend();
  };

  // What was edited of the clusters of this level, and nothing else: another page may have changed the rest since. The server adds
  // the others, and those of finer levels.
  const rows = () => [...byId("legend").tBodies[0].rows].map((row) => {
    const changed = [...row.querySelectorAll("[data-of]")].filter((field) => field.value !== field.dataset.was);
    return { cluster: row.dataset.number, ...Object.fromEntries(changed.map((field) => [field.dataset.of, field.value.trim()])) };
  }).filter((edited) => Object.keys(edited).length > 1);
  const save = async () => {
    sending = true;
    drawEdit();
    TE.say("");
    try {
      await TE.save(state.run, state.level, rows(), () => { state.editing = false; }); // until then the table of edits stays
      end();
    } catch (error) {
      TE.say(`The names were not saved: ${error.message}`);
    } finally {
      sending = false;
      drawEdit();
    }
  };

  byId("edit").addEventListener("click", () => {
    if (!state.editing) begin();
    else if (state.edited) TE.say("Names were edited: Save or Cancel, below the clusters.");
    else end();
  });
  byId("legend").addEventListener("input", () => { state.edited = state.editing; });
  byId("cancel").addEventListener("click", end);
  byId("save").addEventListener("click", save);
  TE.on("run", () => {
    if (state.editing) end();
    drawEdit();
    byId("edit").hidden = !!TE.answers || TE.tree()?.can_be_named === false;
    byId("edit").title = state.folder.read_only ? "The viewer was started with --read-only" : "Name, merge and ignore clusters (e)";
  });
})();
