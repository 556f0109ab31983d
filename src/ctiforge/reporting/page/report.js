// Filters items, and opens what is folded for printing. Without it everything can still be read.
(() => {
  const folds = [...document.querySelectorAll("details")];

  document.querySelectorAll(".searched").forEach((searched) => {
    const form = searched.querySelector("form.filter");
    const [search, kind, told] = form.querySelectorAll("input, select, output");
    const groups = [...searched.querySelectorAll("details.group")];
    const wasOpen = groups.map((group) => group.open);

    const filter = () => {
      const words = search.value.trim().toLowerCase();
      const isFiltered = Boolean(words || kind.value);
      let shown = 0;
      groups.forEach((group, number) => {
        const title = group.querySelector("summary").textContent.toLowerCase();
        let here = 0;
        group.querySelectorAll("li").forEach((item) => {
          const fits = (!kind.value || item.dataset.word === kind.value)
            && (!words || title.includes(words) || item.textContent.toLowerCase().includes(words));
          item.hidden = !fits;
          here += fits ? 1 : 0;
        });
        group.hidden = isFiltered && !here;
        group.open = isFiltered ? here > 0 : wasOpen[number];
        shown += here;
      });
      told.textContent = isFiltered ? `${shown} shown` : "";
    };

    form.hidden = false;
    form.addEventListener("input", filter);
    form.addEventListener("submit", (event) => event.preventDefault());
  });

  let closed = [];
  addEventListener("beforeprint", () => {
    closed = folds.filter((fold) => !fold.open);
    closed.forEach((fold) => { fold.open = true; });
  });
  addEventListener("afterprint", () => closed.forEach((fold) => { fold.open = false; }));
})();
