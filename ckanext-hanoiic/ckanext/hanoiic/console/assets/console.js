/* What is nicer with JavaScript: a name is suggested while the title is typed, the kind while the
   address is, and an open run is followed without reloading. Everything works without it. */
(function () {
  'use strict';

  const slug = (text, joiner) => text
    .replace(/[đĐ]/g, 'd').normalize('NFKD').replace(/[\u0300-\u036f]/g, '').toLowerCase()
    .replace(/[^a-z0-9]+/g, joiner).replace(new RegExp('^' + joiner + '+|' + joiner + '+$', 'g'), '');

  function suggestions(form) {
    const field = (name) => form.elements.namedItem(name);
    const [title, name, table, org] = ['title', 'name', 'dataset.table', 'owner_org'].map(field);
    const own = new Set([name, table].filter((input) => input.value));
    const show = () => {
      if (!own.has(name)) name.value = slug(title.value, '-').slice(0, 60);
      const department = org.selectedOptions[0] ? org.selectedOptions[0].dataset.name || '' : '';
      const words = name.value ? [department, name.value].filter(Boolean).join('_') : '';
      if (!own.has(table)) table.value = slug(words, '_').slice(0, 63);
    };
    [name, table].forEach((input) => input.addEventListener('input', () => {
      if (input.value) own.add(input); else own.delete(input);
      show();
    }));
    title.addEventListener('input', show);
    org.addEventListener('change', show);
    // What was typed before this script came.
    show();
  }

  function kinds(form) {
    const kind = form.elements.namedItem('kind');
    if (!kind) return;
    const help = form.querySelector('[data-kind-help]');
    const url = form.elements.namedItem('url');
    let chosen = Boolean(kind.value);
    const explain = () => { help.textContent = kind.selectedOptions[0].dataset.help || ''; };
    kind.addEventListener('change', () => { chosen = true; explain(); });
    url.addEventListener('change', () => {
      const path = url.value.split(/[?#]/)[0].toLowerCase();
      const fits = (option) => (option.dataset.suffixes || '').split(' ').some((end) => end && path.endsWith(end));
      const fitting = Array.from(kind.options).find(fits);
      if (!chosen && fitting) kind.value = fitting.value;
      explain();
    });
    explain();
  }

  function schedules(form) {
    const preset = form.elements.namedItem('schedule_preset');
    const cron = form.querySelector('[data-cron]');
    const show = () => { cron.hidden = preset.value !== 'custom'; };
    preset.addEventListener('change', show);
    show();
  }

  function follow(report) {
    window.setTimeout(async () => {
      try {
        const answer = await fetch(window.location.href, { headers: { Accept: 'text/html' } });
        const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
        const fresh = page.getElementById(report.id);
        if (answer.ok && fresh) {
          // What the reader has opened stays open.
          report.querySelectorAll('details[id][open]').forEach((one) => {
            const same = fresh.querySelector('#' + CSS.escape(one.id));
            if (same) same.open = true;
          });
          report.replaceWith(fresh);
          report = fresh;
        }
      } finally {
        if ('open' in report.dataset) follow(report);
      }
    }, 2000);
  }

  function drops(area) {
    const input = area.querySelector('input[type=file]');
    area.querySelector('[data-drop-help]').hidden = false;
    const stop = (event) => { event.preventDefault(); };
    ['dragenter', 'dragover'].forEach((name) => area.addEventListener(name, (event) => { stop(event); area.classList.add('over'); }));
    ['dragleave', 'drop'].forEach((name) => area.addEventListener(name, (event) => { stop(event); area.classList.remove('over'); }));
    area.addEventListener('drop', (event) => { if (event.dataTransfer.files.length) input.files = event.dataTransfer.files; });
  }

  document.querySelectorAll('[data-drop]').forEach(drops);
  const form = document.querySelector('form[data-source-form]');
  if (form) { suggestions(form); kinds(form); schedules(form); }
  const report = document.getElementById('hanoiic-run');
  if (report && 'open' in report.dataset) follow(report);
})();
