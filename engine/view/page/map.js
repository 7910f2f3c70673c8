// A slide in a pane: its picture, the overlay, the tiles that were chosen, and a ruler. Panes move together.
"use strict";
(() => {
  const { state } = TE;
  const SIDE = 512; // of a tile
  const MARK = "#d55e00";
  let leader = 0; // the pane that the other one follows

  const source = (shape, url) => {
    const [height, width] = shape, maxLevel = Math.max(0, Math.ceil(Math.log2(Math.max(height, width) / SIDE)));
    return { width, height, tileSize: SIDE, tileOverlap: 0, minLevel: 0, maxLevel, getTileUrl: (level, x, y) => url(maxLevel - level, y, x) };
  };
  // Of the image that is shown now: a layer asks for its tiles later, too, when the pane may show another one.
  TE.tileUrl = (pane, part, values = {}) => {
    const path = TE.path(pane);
    return (z, y, x) => TE.api.url(`${path}/${part}/tile`, { z, y, x, ...values });
  };

  const make = (pane) => {
    const box = TE.byId(`pane-${pane}`);
    box.replaceChildren();
    const bar = TE.make("div", box, "", { class: "bar" });
    const choice = TE.make("select", bar, "", { "aria-label": "Picture" });
    const stage = TE.make("div", box, "", { class: "stage" });
    const viewer = OpenSeadragon({
      element: stage, drawer: "canvas", showNavigationControl: false, animationTime: 0.3, gestureSettingsMouse: { clickToZoom: false },
      maxZoomPixelRatio: 16, minZoomImageRatio: 0.5, visibilityRatio: 0.2, crossOriginPolicy: false, imageLoaderLimit: 6,
    });
    const points = TE.make("canvas", stage, "", { class: "points" });
    const ruler = TE.make("div", stage, "", { class: "ruler" });
    let base = null, over = null, drawn = "", mark = null, cursor = null;

    // Micrometres to the viewer's coordinates and back: the picture is 1 wide.
    const frame = () => state.documents[pane]?.pictures[Math.max(0, state.pictures[pane])];
    const toView = (y, x) => {
      const { origin, lengths, shape } = frame();
      return new OpenSeadragon.Point((x - origin[1]) / lengths[1], ((y - origin[0]) / lengths[0]) * (shape[0] / shape[1]));
    };
    const toPlace = (point) => {
      const { origin, lengths, shape } = frame();
      return [(point.y / (shape[0] / shape[1])) * lengths[0] + origin[0], point.x * lengths[1] + origin[1]];
    };

    const drawOver = () => {
      const overlay = TE.overlayOf(pane), values = TE.chosenColours();
      const wanted = overlay ? JSON.stringify([TE.path(pane), TE.overlayPath(overlay), values]) : "";
      if (over) over.setOpacity(state.opacity);
      if (wanted === drawn || !frame()) return;
      drawn = wanted;
      const old = over;
      over = null;
      if (!overlay) {
        if (old) viewer.world.removeItem(old);
        return;
      }
      const corner = toView(overlay.origin[0], overlay.origin[1]);
      viewer.addTiledImage({
        tileSource: source(overlay.shape, TE.tileUrl(pane, TE.overlayPath(overlay), overlay.kind === "pictures" ? {} : values)),
        x: corner.x, y: corner.y, width: overlay.lengths[1] / frame().lengths[1], opacity: state.opacity,
        success: ({ item }) => {
          const gone = () => { if (old && viewer.world.getIndexOfItem(old) >= 0) viewer.world.removeItem(old); };
          if (drawn !== wanted) return viewer.world.removeItem(item);
          over = item;
          if (item.getFullyLoaded()) gone();
          else item.addOnceHandler("fully-loaded-change", gone);
        },
      });
    };
    const soon = TE.later(30, drawOver);

    const drawBase = (keep) => {
      const picture = frame(), bounds = keep && viewer.world.getItemCount() ? viewer.viewport.getBounds() : null;
      viewer.world.removeAll();
      [base, over, drawn, mark] = [null, null, "", null];
      const loaded = ({ item }) => {
        base = item;
        if (bounds) viewer.viewport.fitBounds(bounds, true);
        else viewer.viewport.goHome(true);
        drawOver();
        drawPoints();
      };
      const url = picture.number < 0 ? () => null : TE.tileUrl(pane, `pictures/${picture.number}`);
      viewer.addTiledImage({ tileSource: source(picture.shape, url), x: 0, y: 0, width: 1, success: loaded });
    };

    const drawPoints = () => {
      const context = points.getContext("2d"), scale = window.devicePixelRatio || 1;
      points.width = points.clientWidth * scale;
      points.height = points.clientHeight * scale;
      context.setTransform(scale, 0, 0, scale, 0, 0);
      if (!frame() || !base) return;
      const at = (y, x) => viewer.viewport.viewportToViewerElementCoordinates(toView(y, x));
      const square = ([y, x], side, width, colour) => {
        const start = at(y - side / 2, x - side / 2), end = at(y + side / 2, x + side / 2);
        context.lineWidth = width + 2;
        context.strokeStyle = "#ffffff";
        context.strokeRect(start.x, start.y, end.x - start.x, end.y - start.y);
        context.lineWidth = width;
        context.strokeStyle = colour;
        context.strokeRect(start.x, start.y, end.x - start.x, end.y - start.y);
      };
      if (TE.plane && !TE.isWhole()) { // a point that is a whole image lies nowhere on it
        context.fillStyle = MARK;
        for (const row of state.chosen) {
          if (TE.plane.image[row] !== state.images[pane]) continue;
          const point = at(TE.plane.centres[0][row], TE.plane.centres[1][row]);
          context.fillRect(point.x - 3, point.y - 3, 6, 6);
        }
      }
      if (mark) square(mark.centre, mark.side, 2, MARK);
      if (cursor) square(cursor.centre, cursor.side, 3, "#000000");
      drawRuler();
    };
    const drawRuler = () => {
      const picture = frame(), perPixel = viewer.viewport.getBounds(true).width * picture.lengths[1] / points.clientWidth;
      const most = perPixel * 160, power = 10 ** Math.floor(Math.log10(most));
      const length = [5, 2, 1].map((n) => n * power).find((n) => n <= most) || power;
      ruler.style.width = `${length / perPixel}px`;
      ruler.textContent = length >= 1000 ? `${length / 1000} mm` : `${Number(length.toPrecision(2))} µm`;
    };
    viewer.addHandler("tile-drawing", ({ tiledImage, context }) => { context.imageSmoothingEnabled = tiledImage === base || TE.overlayOf(pane)?.kind === "pictures"; });
    viewer.addHandler("animation", drawPoints);
    let whole = true; // seen whole: it stays so where the pane changes its size
    viewer.addHandler("viewport-change", () => { if (base) whole = viewer.viewport.getZoom() <= viewer.viewport.getHomeZoom() * 1.02; });
    viewer.addHandler("resize", () => {
      if (whole) requestAnimationFrame(() => viewer.viewport.goHome(true));
      drawPoints();
    });
    viewer.addHandler("tile-load-failed", ({ tiledImage }) => { if (tiledImage === base && !state.documents[pane]?.missing) TE.say("Some tiles of the picture could not be read."); });

    const placeOf = (x, y) => toPlace(viewer.viewport.viewerElementToViewportCoordinates(new OpenSeadragon.Point(x, y)));
    stage.addEventListener("pointermove", (event) => {
      if (!base || event.buttons) return;
      const bounds = stage.getBoundingClientRect();
      TE.emit("hover", { pane, centre: placeOf(event.clientX - bounds.x, event.clientY - bounds.y) });
    });
    stage.addEventListener("pointerleave", () => TE.emit("hover", null));
    viewer.addHandler("canvas-click", (event) => {
      if (event.quick && base) TE.emit("click", { pane, centre: toPlace(viewer.viewport.pointFromPixel(event.position)) });
    });
    viewer.addHandler("canvas-key", (event) => { event.preventDefaultAction = !event.originalEvent.key.startsWith("Arrow"); }); // no turning, no flipping

    choice.addEventListener("change", () => {
      state.pictures[pane] = Number(choice.value);
      drawBase(true);
      TE.emit("picture", pane);
    });
    viewer.canvas.setAttribute("role", "application");
    const shown = (keep) => {
      const found = state.documents[pane];
      viewer.canvas.setAttribute("aria-label", `${found.name}: Enter puts a cursor on a tile, arrow keys move it; ? lists all keys`);
      choice.replaceChildren(...found.pictures.map((one, i) => TE.make("option", null, one.name, { value: i })));
      choice.value = state.pictures[pane];
      choice.hidden = found.pictures.length < 2;
      bar.hidden = choice.hidden && state.panes !== "two"; // side by side, both have one: they are of one size
      drawBase(keep);
    };
    const goTo = (centre, side) => {
      leader = pane;
      mark = { centre, side };
      const [y, x] = centre, start = toView(y - 4 * side, x - 4 * side), end = toView(y + 4 * side, x + 4 * side);
      const view = viewer.viewport.getBounds();
      if (!view.containsPoint(toView(y, x)) || view.width > 12 * (end.x - start.x)) {
        viewer.viewport.fitBounds(new OpenSeadragon.Rect(start.x, start.y, end.x - start.x, end.y - start.y));
      }
      drawPoints();
    };
    const setMark = (centre, side) => { mark = centre ? { centre, side } : null; drawPoints(); };
    const setCursor = (centre, side) => {
      cursor = centre && base ? { centre, side } : null;
      if (cursor && !viewer.viewport.getBounds().containsPoint(toView(...centre))) viewer.viewport.panTo(toView(...centre));
      drawPoints();
    };
    const bare = () => { bar.hidden = choice.hidden && state.panes !== "two"; };
    for (const begins of ["pointerenter", "focusin"]) stage.addEventListener(begins, () => { leader = pane; });
    return { viewer, bare, frame, shown, soon, drawPoints, goTo, setMark, setCursor, toView, toPlace, stage };
  };

  // Two panes show the same micrometres of their images, equally large: the one with the pointer leads.
  const follow = (from, to, pane) => {
    from.viewer.addHandler("viewport-change", () => {
      if (leader !== pane || state.panes !== "two" || !to.viewer.world.getItemCount() || !from.frame() || !to.frame()) return;
      const own = from.viewer.viewport, other = to.viewer.viewport;
      const perPixel = (own.getBounds(true).width * from.frame().lengths[1]) / own.getContainerSize().x;
      other.zoomTo(to.frame().lengths[1] / (perPixel * other.getContainerSize().x), null, true);
      other.panTo(to.toView(...from.toPlace(own.getCenter(true))), true);
    });
  };

  TE.maps = [];
  TE.middle = () => (TE.planar() ? TE.maps[0].toPlace(TE.maps[0].viewer.viewport.getCenter()) : TE.cutsAt());
  TE.startMaps = () => {
    if (TE.maps.length) return;
    TE.maps = [make(0), make(1)];
    follow(TE.maps[0], TE.maps[1], 0);
    follow(TE.maps[1], TE.maps[0], 1);
    TE.emit("maps");
  };
  const active = () => TE.maps.filter((_, pane) => (pane === 0 || state.panes === "two") && state.documents[pane]);
  const shownAt = [-1, -1];
  TE.on("image", (pane) => {
    if (!TE.planar() || TE.run().films) return;
    TE.startMaps();
    TE.maps[pane].shown(shownAt[pane] === state.images[pane] || (pane === 1 && state.panes === "two"));
    shownAt[pane] = state.images[pane];
  });
  TE.on("level hidden overlay opacity sure least saved", () => active().forEach((map) => map.soon()));
  TE.on("panes", () => active().forEach((map) => map.bare()));
  TE.on("chosen panes", () => setTimeout(() => active().forEach((map) => map.drawPoints()), 60));
})();
