/* Copies the code beside a button, and says so for a moment. */
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-hic-copy]");
  if (!button) return;
  const code = button.parentElement.querySelector("code");
  try {
    await navigator.clipboard.writeText(code.textContent);
  } catch {
    /* Without https a browser keeps its clipboard shut: mark the text, so that Ctrl-C takes it. */
    const range = document.createRange();
    range.selectNodeContents(code);
    window.getSelection().removeAllRanges();
    window.getSelection().addRange(range);
    document.execCommand("copy");
  }
  const label = button.dataset.label || (button.dataset.label = button.textContent);
  button.textContent = button.dataset.done;
  setTimeout(() => { button.textContent = label; }, 1500);
});

/* A link to a folded table unfolds it. */
const unfold = () => {
  const target = location.hash.startsWith("#r-") && document.getElementById(location.hash.slice(1));
  if (target && target.tagName === "DETAILS") target.open = true;
};
window.addEventListener("hashchange", unfold);
window.addEventListener("DOMContentLoaded", unfold);

/* CKAN's fields with suggestions are heard without a name: they take that of their label. */
window.addEventListener("load", () => {
  for (const field of document.querySelectorAll(".select2-hidden-accessible[id]")) {
    const label = document.querySelector(`label[for="${CSS.escape(field.id)}"]`);
    if (!label) continue;
    label.id ||= `${field.id}-label`;
    for (const part of field.nextElementSibling.querySelectorAll("[role=combobox], .select2-search__field")) {
      const named = part.getAttribute("aria-labelledby");
      part.setAttribute("aria-labelledby", named ? `${label.id} ${named}` : label.id);
    }
  }
});
