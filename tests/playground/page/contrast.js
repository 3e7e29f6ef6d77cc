/* Contrast ratios (WCAG) of the page's small texts, each against the lightest or darkest wall. */

() => {
  const numbers = (color) => {
    const [red, green, blue, alpha = 1] = color.match(/[\d.]+/g).map(Number);
    return [red, green, blue, alpha];
  };
  const over = ([r, g, b, alpha], below) =>
    [r, g, b].map((value, at) => value * alpha + below[at] * (1 - alpha));
  const light = (color) => {
    const [red, green, blue] = color.slice(0, 3).map((value) => {
      const part = value / 255;
      return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const ratio = (one, other) => {
    const [dark, bright] = [light(one), light(other)].sort((a, b) => a - b);
    return (bright + 0.05) / (dark + 0.05);
  };
  const walls = getComputedStyle(document.querySelector(".chat")).backgroundImage
    .match(/rgba?\([^)]*\)/g).map(numbers);
  const behind = (node, wall) => {
    const layers = [];
    for (let at = node; at && !at.matches(".chat"); at = at.parentElement) {
      layers.push(numbers(getComputedStyle(at).backgroundColor));
    }
    return layers.reverse().reduce((below, layer) => over(layer, below), wall);
  };
  const found = {};
  const texts = ".day, .key:not(:disabled), .meta, .text, .sender, .quote b, .quote span, .menu-button,"
    + " .start, .name, .when, .last, #status, #title, .person small";
  for (const node of document.querySelectorAll(texts)) {
    if (!node.textContent) continue;
    const name = `${node.closest(".out") ? "out " : ""}${node.className || node.id || node.tagName}`;
    const color = numbers(getComputedStyle(node).color);
    const worst = Math.min(...walls.map((wall) => {
      const below = behind(node, wall);
      return ratio(over(color, below), below);
    }));
    found[name] = Math.min(found[name] ?? 21, worst);
  }
  return found;
}
