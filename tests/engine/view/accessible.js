// What hinders somebody who sees little or uses no pointer, as texts: names that lack, ids given twice, targets that are not there, and
// texts whose contrast is below 4.5.
() => {
  const found = [], isSeen = (element) => element.offsetParent !== null;
  const parts = (text) => {
    const numbers = text.match(/[\d.]+/g).map(Number), scale = text.startsWith("color(srgb") ? 255 : 1;
    return [...numbers.slice(0, 3).map((value) => value * scale), numbers[3] ?? 1];
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((value) => (value / 255 <= 0.04045 ? value / 3294.6 : ((value / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = parts(getComputedStyle(one).backgroundColor);
      if (colour[3] > 0.5) return colour;
    }
    return [255, 255, 255, 1];
  };
  const named = (element) => element.getAttribute("aria-label") || element.closest("label")?.textContent.trim() || element.textContent.trim() || element.title;
  for (const element of document.querySelectorAll("button, input, select, [tabindex], canvas[role]")) if (isSeen(element) && !named(element)) found.push(`no name: ${element.outerHTML}`);
  for (const image of document.querySelectorAll("img:not([alt])")) found.push(`no alt: ${image.outerHTML}`);
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  ids.filter((id, i) => ids.indexOf(id) !== i).forEach((id) => found.push(`given twice: ${id}`));
  for (const name of ["aria-controls", "aria-labelledby", "for"]) {
    for (const element of document.querySelectorAll(`[${name}]`)) if (!document.getElementById(element.getAttribute(name))) found.push(`no target: ${element.outerHTML}`);
  }
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim(), element = walker.currentNode.parentElement;
    if (!text || !isSeen(element) || element.closest(".spoken, option, :disabled, canvas")) continue;
    const below = ground(element), ink = parts(getComputedStyle(element).color);
    let opacity = ink[3];
    for (let one = element; one; one = one.parentElement) opacity *= Number(getComputedStyle(one).opacity);
    const [more, less] = [light(ink.slice(0, 3).map((value, i) => value * opacity + below[i] * (1 - opacity))), light(below.slice(0, 3))].sort((a, b) => b - a);
    if ((more + 0.05) / (less + 0.05) < 4.5) found.push(`contrast ${((more + 0.05) / (less + 0.05)).toFixed(1)}: ${text}`);
  }
  return [...new Set(found)];
}
