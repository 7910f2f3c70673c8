// What is shown: one value that all parts read, and the events by which they hear of changes.
"use strict";
(() => {
  const listeners = new Map();
  TE.on = (name, listener) => {
    for (const one of name.split(" ")) listeners.set(one, [...(listeners.get(one) || []), listener]);
  };
  TE.emit = (name, value) => (listeners.get(name) || []).forEach((listener) => listener(value));

  TE.state = {
    folder: null, // answer of runs
    run: 0,
    images: [0, 0], // number of the image in each pane, from when it is asked for
    pictures: [0, 0],
    documents: [null, null], // answer of runs/N/images/N: the image that is shown
    paths: ["", ""], // address of each document
    panes: "one", // one, two or plane
    level: 0,
    hidden: new Set(), // numbers of clusters that are not drawn
    overlay: "clusters", // name; empty for none
    overlayChosen: false, // by the user; else the first one that an image has
    opacity: 0.55,
    sure: 0, // least confidence, 0 to 1
    least: 0, // least value that is drawn, 0 to 1 of the range of an image
    chosen: [], // rows of the plane
    colour: "", // column that the plane is coloured by; empty for clusters or groups
    hiddenValues: new Set(), // codes of values of that column that are grey
    editing: false,
    edited: false, // since the table was opened
  };
  const state = TE.state;

  TE.run = () => state.folder.runs[state.run];
  TE.tree = () => TE.run().tree;
  TE.level = () => TE.tree() && TE.tree().levels[state.level];
  // What a point of the plane is, and what it belongs to, in words.
  TE.words = () => {
    const noun = TE.run().cases || "tile", cluster = TE.tree()?.can_be_named === false ? "group" : "cluster";
    return { noun, nouns: `${noun}s`, cluster, clusters: `${cluster}s` };
  };
  // Whether a point of the plane is one or several whole images, not a part of one.
  TE.isWhole = () => !!TE.run().whole;
  TE.planar = () => TE.run().axes.length === 2;
  // Whether there is a table of tiles, or will be: while names are saved it is made anew.
  TE.mayHaveTable = () => TE.run().table || !!TE.run().saving;
  // Whether there is one now; why not is said.
  TE.hasTable = () => {
    if (!TE.run().table && TE.run().saving) TE.say("The table of tiles is being made anew: this works after the names are saved.");
    return TE.run().table;
  };
  // What lies over an image: cells of the run, or another picture of the image: a stain over a stain, before over after.
  const PICTURE = "picture: ";
  TE.overlayNames = (pane) => {
    const found = state.documents[pane], own = found?.overlays.map((one) => one.name) || [];
    return found?.pictures.length > 1 ? [...own, ...found.pictures.map((one) => PICTURE + one.name)] : own;
  };
  TE.overlayOf = (pane) => {
    const found = state.documents[pane];
    const own = found?.overlays.find((one) => one.name === state.overlay);
    if (own || !state.overlay.startsWith(PICTURE)) return own;
    const picture = found?.pictures.find((one) => PICTURE + one.name === state.overlay);
    return picture && picture.number >= 0 ? { ...picture, kind: "pictures" } : undefined;
  };
  // Part of the address of its tiles and slices.
  TE.overlayPath = (overlay) => `${overlay.kind === "pictures" ? "pictures" : "overlays"}/${overlay.number}`;
  TE.path = (pane) => state.paths[pane];

  // Name and colour of a fine cluster at the level that is shown; null for none.
  TE.cluster = (fine) => {
    const level = TE.level();
    if (!level || !fine) return null;
    const number = level.number[fine], index = level.numbers.indexOf(number);
    return { number, name: level.names[index], colour: level.colours[index] };
  };
  // What overlay pictures of clusters depend on; the same values give the same picture.
  TE.chosenColours = () => {
    if (TE.overlayOf(0)?.kind === "values") return { min: state.least ? state.least.toFixed(3) : "" };
    if (!TE.tree() || state.overlay !== "clusters") return {};
    return { k: state.level, hide: [...state.hidden].sort((a, b) => a - b).join(","), min: state.sure ? state.sure.toFixed(2) : "", v: state.saved || "" };
  };
  TE.later = (wait, action) => {
    let timer = 0;
    return (...values) => {
      clearTimeout(timer);
      timer = setTimeout(() => action(...values), wait);
    };
  };

  // The name of what the server puts over an image first; a mask is shown only where it is asked for.
  const firstOf = ({ first_overlay: first, overlays, pictures }) => {
    if (!first) return "";
    const isPicture = first.kind === "pictures", found = (isPicture ? pictures : overlays).find((one) => one.number === first.number);
    return found ? (isPicture ? PICTURE : "") + found.name : "";
  };
  const shownPanes = () => (state.panes === "two" ? [0, 1] : [0]);
  TE.load = async (pane) => {
    const path = () => `runs/${state.run}/images/${state.images[pane]}`, wanted = path();
    const found = await TE.api.get(wanted);
    if (wanted !== path()) return;
    state.documents[pane] = found;
    state.paths[pane] = wanted;
    state.pictures[pane] = Math.min(state.pictures[pane], found.pictures.length - 1);
    if (pane === 0) {
      if (state.overlay ? !TE.overlayNames(0).includes(state.overlay) : !state.overlayChosen) state.overlay = firstOf(found);
    }
    TE.say([...new Set(shownPanes().map((one) => state.documents[one]?.missing))].filter(Boolean).join(" "));
    TE.emit("image", pane);
  };
  // Whether the image could be shown; else the one before stays.
  TE.show = async (pane, image) => {
    const before = state.images[pane];
    state.images[pane] = image;
    try {
      await TE.load(pane);
    } catch (error) {
      if (state.images[pane] === image) state.images[pane] = before;
      TE.say(`${TE.run().images[image].name}: ${error.message}`);
      TE.emit("stays", pane);
      return false;
    }
    return true;
  };
})();
