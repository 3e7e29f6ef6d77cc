/* Files dragged over the chat. */

/** Show a veil while files hover over an area, and offer them once they are dropped. */
export function watchDrops(area, veil, offer) {
  const carries = (event) => event.dataTransfer?.types.includes("Files");
  area.addEventListener("dragover", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    veil.hidden = false;
  });
  area.addEventListener("dragleave", (event) => {
    if (!area.contains(event.relatedTarget)) veil.hidden = true;
  });
  area.addEventListener("drop", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    veil.hidden = true;
    offer([...event.dataTransfer.files]);
  });
}
