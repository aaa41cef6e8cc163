/* Suggestions under a search field, by the ARIA pattern "combobox with a list of options".
   The fields keep working as plain forms without this script, and whenever the portal is silent. */
(() => {
  const GROUPS = ["datasets", "departments", "topics", "wards"];
  const PAUSE_MS = 150;
  const SHORTEST = 2;
  const waiting = new WeakMap();  /* box → {timer, request} */

  const parts = (input) => {
    const box = input.closest("[data-hic-suggest]");
    return { box, list: box.querySelector("[role=listbox]"), status: box.querySelector("[role=status]") };
  };

  const prepare = (input) => {
    const { list } = parts(input);
    const state = { role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": list.id };
    for (const [name, value] of Object.entries(state)) input.setAttribute(name, value);
  };

  const close = (input) => {
    const { list, status } = parts(input);
    list.hidden = true;
    status.textContent = "";
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };

  const stop = (box) => {
    const { timer, request } = waiting.get(box) || {};
    clearTimeout(timer);
    if (request) request.abort();
    waiting.delete(box);
  };

  const element = (name, attributes, ...children) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };

  const group = (list, name, title, items) => {
    const heading = `${list.id}-${name}`;
    return element("div", { role: "group", "aria-labelledby": heading },
      element("div", { role: "presentation", id: heading, class: "hic-suggestions-group" }, title),
      ...items.map((item, place) => element("a",
        { role: "option", id: `${heading}-${place}`, href: item.url, tabindex: "-1", "aria-selected": "false" },
        item.label, ...(item.hint ? [" ", element("small", {}, item.hint)] : []))));
  };

  const show = (input, found) => {
    const { box, list, status } = parts(input);
    const groups = GROUPS.filter((name) => found[name] && found[name].length);
    list.replaceChildren(...groups.map((name) => group(list, name, box.dataset[name], found[name])));
    const count = list.querySelectorAll("[role=option]").length;
    if (!count) close(input);
    list.hidden = !count;
    input.setAttribute("aria-expanded", String(count > 0));
    input.removeAttribute("aria-activedescendant");
    status.textContent = count ? box.dataset.some.replace("{n}", count) : box.dataset.none;
  };

  const ask = async (input) => {
    const { box } = parts(input);
    const request = new AbortController();
    waiting.set(box, { request });
    try {
      const address = `${box.dataset.hicSuggest}?q=${encodeURIComponent(input.value)}`;
      const answer = await fetch(address, { signal: request.signal, headers: { Accept: "application/json" } });
      if (!answer.ok) return close(input);
      const found = (await answer.json()).result;
      if (document.activeElement === input) show(input, found);
    } catch (error) {
      if (error.name !== "AbortError") close(input);
    }
  };

  const move = (input, step) => {
    const { list } = parts(input);
    const options = [...list.querySelectorAll("[role=option]")];
    const before = options.findIndex((option) => option.getAttribute("aria-selected") === "true");
    /* One place more than options: the field itself, where the reader's own words wait. */
    const next = (before + 1 + step + options.length + 1) % (options.length + 1) - 1;
    options.forEach((option, place) => option.setAttribute("aria-selected", String(place === next)));
    if (next < 0) return input.removeAttribute("aria-activedescendant");
    input.setAttribute("aria-activedescendant", options[next].id);
    options[next].scrollIntoView({ block: "nearest" });
  };

  const field = (event) => event.target.closest && event.target.closest("[data-hic-suggest] input");

  document.addEventListener("focusin", (event) => {
    const input = field(event);
    if (input && !input.hasAttribute("role")) prepare(input);
  });

  document.addEventListener("input", (event) => {
    const input = field(event);
    if (!input) return;
    const { box } = parts(input);
    stop(box);
    if (input.value.trim().length < SHORTEST) return close(input);
    waiting.set(box, { timer: setTimeout(() => ask(input), PAUSE_MS) });
  });

  document.addEventListener("keydown", (event) => {
    const input = field(event);
    if (!input || event.isComposing) return;
    const { box, list } = parts(input);
    const steps = { ArrowDown: 1, ArrowUp: -1 };
    if (event.key in steps && !list.hidden) {
      event.preventDefault();
      move(input, steps[event.key]);
    } else if (event.key === "ArrowDown" && input.value.trim().length >= SHORTEST) {
      event.preventDefault();
      stop(box);
      ask(input);
    } else if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      stop(box);
      close(input);
    } else if (event.key === "Enter") {
      stop(box);
      const chosen = list.hidden ? null : list.querySelector("[aria-selected=true]");
      if (!chosen) return;
      event.preventDefault();
      location.assign(chosen.href);
    }
  });

  document.addEventListener("focusout", (event) => {
    const input = field(event);
    if (!input) return;
    const { box } = parts(input);
    if (box.contains(event.relatedTarget)) return;  /* a click on an option: let it happen */
    stop(box);
    close(input);
  });
})();
