/** Rows that one answer carries at most, of any list, whoever asks; the next page is one request away. */
export const MAX_PAGE = 1000;
