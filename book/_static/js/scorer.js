/* Sphinx puts this file in front of its own search. */
// A page from the disk may not fetch another, so there are no excerpts to show.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

/* The search ranks what it finds as Sphinx does, but a chapter comes before a list. */
var Scorer = {
  score([page, , , , score]) {
    if (page.startsWith("notebooks/")) return score + 3;
    return /^book\/(bibliography|changelog|errors)$/.test(page) ? score - 3 : score;
  },
  // The rest are Sphinx's own numbers.
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
