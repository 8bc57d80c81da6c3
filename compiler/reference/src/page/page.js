'use strict';
(() => {
  const byId = id => document.getElementById(id);
  const [query, results, contents, menu, theme] = ['query', 'results', 'contents', 'menu', 'theme'].map(byId);
  const entries = JSON.parse(byId('index').textContent)
    .map(([id, title, what, place, text]) => ({ id, title, what, place, text, low: title.toLowerCase() }))
    // A path such as `cluster › gateway` or `std.access.only` is called by its last part.
    .map(entry => ({ ...entry, name: entry.low.split(/ › |\./).pop() }));
  const MOST = 40;
  const ORDER = ['block', 'attribute', 'template', 'code', 'word', 'section'];
  let found = [], chosen = 0;

  // How well an entry fits the words that were typed: all of them must be somewhere in it.
  const weigh = (entry, words) => {
    let weight = 0;
    const place = entry.place.toLowerCase(), text = entry.text.toLowerCase();
    for (const word of words) {
      if (entry.name === word) weight += 100;
      else if (entry.low.startsWith(word)) weight += 60;
      else if (entry.low.split(/[^a-z0-9]+/).some(part => part.startsWith(word))) weight += 40;
      else if (entry.low.includes(word)) weight += 20;
      else if (place.includes(word)) weight += 10;
      else if (text.includes(word)) weight += 2;
      else return 0;
    }
    return weight - ORDER.indexOf(entry.what) - entry.title.length / 100;
  };

  const search = text => {
    const words = text.toLowerCase().replace(/[›.]/g, ' ').split(/\s+/).filter(Boolean);
    if (!words.length) return [];
    return entries.map(entry => ({ entry, weight: weigh(entry, words) })).filter(one => one.weight > 0)
      .sort((one, other) => other.weight - one.weight || (one.entry.id < other.entry.id ? -1 : 1))
      .slice(0, MOST).map(one => one.entry);
  };

  const element = (name, className, text) => {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text) made.textContent = text;
    return made;
  };

  // The title with what was typed marked in it.
  const marked = (title, words) => {
    const made = element('b');
    const at = words.map(word => [title.toLowerCase().indexOf(word), word.length]).find(([start]) => start >= 0);
    if (!at) return made.append(title), made;
    made.append(title.slice(0, at[0]), element('mark', '', title.slice(at[0], at[0] + at[1])), title.slice(at[0] + at[1]));
    return made;
  };

  const close = () => {
    results.hidden = true;
    query.setAttribute('aria-expanded', 'false');
    query.removeAttribute('aria-activedescendant');
  };

  const choose = index => {
    chosen = index;
    [...results.children].forEach((row, number) => {
      row.setAttribute('aria-selected', String(number === chosen));
      if (number === chosen && found.length) {
        row.scrollIntoView({ block: 'nearest' });
        query.setAttribute('aria-activedescendant', row.id);
      }
    });
  };

  const show = () => {
    if (!query.value.trim()) return close();
    found = search(query.value);
    const words = query.value.toLowerCase().split(/\s+/).filter(Boolean);
    results.replaceChildren(...found.map((entry, number) => {
      const row = element('li'), line = element('div', 'line');
      row.id = `result-${number}`;
      row.setAttribute('role', 'option');
      line.append(marked(entry.title, words), element('i', '', entry.place), element('span', 'what', entry.what));
      row.append(line, element('div', 'text', entry.text));
      row.addEventListener('mousedown', event => { event.preventDefault(); open(number); });
      return row;
    }));
    if (!found.length) results.append(element('li', 'none', 'Nothing is called so.'));
    results.hidden = false;
    query.setAttribute('aria-expanded', 'true');
    choose(0);
  };

  const open = number => {
    const entry = found[number];
    if (!entry) return;
    close();
    query.blur();
    // The same place again is gone to again.
    if (decodeURIComponent(location.hash.slice(1)) === entry.id) byId(entry.id).scrollIntoView();
    else location.hash = encodeURIComponent(entry.id);
  };

  query.addEventListener('input', show);
  query.addEventListener('focus', show);
  query.addEventListener('blur', close);
  query.addEventListener('keydown', event => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && found.length) choose((chosen + step + found.length) % found.length);
    else if (event.key === 'Enter') open(chosen);
    else if (event.key === 'Escape') { query.value = ''; close(); query.blur(); }
    else return;
    event.preventDefault();
  });
  document.addEventListener('keydown', event => {
    const writes = /^(INPUT|TEXTAREA)$/.test(document.activeElement.tagName);
    const asks = (event.key === '/' && !writes) || (event.key === 'k' && (event.ctrlKey || event.metaKey));
    if (!asks) return;
    event.preventDefault();
    query.focus();
    query.select();
  });

  // Light or dark: what the system says, until the reader says otherwise.
  const remember = value => { try { localStorage.setItem('theme', value); } catch { /* a page from the disk may have none */ } };
  const remembered = () => { try { return localStorage.getItem('theme'); } catch { return null; } };
  if (remembered()) document.documentElement.dataset.theme = remembered();
  theme.addEventListener('click', () => {
    const dark = getComputedStyle(document.documentElement).getPropertyValue('--paper').trim() !== '#ffffff';
    const next = dark ? 'light' : 'dark';
    document.documentElement.dataset.theme = next;
    remember(next);
  });

  menu.addEventListener('click', () => {
    const isOpen = contents.classList.toggle('open');
    menu.setAttribute('aria-expanded', String(isOpen));
  });
  contents.addEventListener('click', event => { if (event.target.closest('a')) contents.classList.remove('open'); });

  // Where the reader is, in the list of contents.
  const links = new Map([...contents.querySelectorAll('a')].map(link => [link.getAttribute('href').slice(1), link]));
  const heads = [...document.querySelectorAll('main :is(h2, h3, h4)[id]')];
  let here = null, waits = false;
  const look = () => {
    waits = false;
    let low = 0, high = heads.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (heads[middle].getBoundingClientRect().top < 90) low = middle + 1; else high = middle;
    }
    const link = links.get(heads[Math.max(0, low - 1)]?.id);
    if (!link || link === here) return;
    here?.classList.remove('here');
    here = link;
    link.classList.add('here');
    const group = link.closest('details');
    if (group && !group.open) {
      contents.querySelectorAll('details[open]').forEach(other => { other.open = false; });
      group.open = true;
    }
    const { top, bottom } = link.getBoundingClientRect();
    if (top < 80 || bottom > innerHeight) link.scrollIntoView({ block: 'center' });
  };
  addEventListener('scroll', () => { if (!waits) { waits = true; requestAnimationFrame(look); } }, { passive: true });
  look();
})();
