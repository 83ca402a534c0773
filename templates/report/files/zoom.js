// An opened picture is the target of the page's address; arrows and Esc follow the links beside it.
addEventListener("keydown", (event) => {
  const open = document.querySelector("figure:target");
  if (!open || event.ctrlKey || event.metaKey || event.altKey) return;
  const link = [...open.querySelectorAll("[data-key]")].find((one) => one.dataset.key === event.key);
  if (link) location.replace(link.href);
  if (link || event.key.startsWith("Arrow")) event.preventDefault();
});
for (const wall of document.querySelectorAll(".wall")) {
  const chosen = wall.querySelector("thead .chosen");
  if (chosen) wall.scrollLeft = chosen.offsetLeft + 1.5 * chosen.offsetWidth - wall.clientWidth;
}
