/**
 * Widths are estimated, not measured, so that a chart has the same layout in a file and in the page. The shares are
 * those of DejaVu Sans, the widest of the common interface fonts: labels may have room to spare, never too little.
 */
const NARROW = /[ijl.,:;'|!()[\]·\s]/;
const WIDE = /[A-Zmw@%#…–—→+=<>]/;

const shareOf = (character: string): number => {
  if (character.codePointAt(0)! > 0x2e7f) return 1;
  if (NARROW.test(character)) return 0.4;
  return WIDE.test(character) ? 0.84 : 0.64;
};

/** Bold letters against plain ones. */
const BOLD = 1.1;

/** Upper estimate of a text's width in pixels at a font size. */
export const textWidth = (text: string, size: number, bold = false): number => {
  let shares = 0;
  for (const character of text) shares += shareOf(character);
  return shares * size * (bold ? BOLD : 1);
};

/** The text, or as much of it as fits the width with an ellipsis; empty when not even that fits. */
export const fitText = (text: string, size: number, width: number, bold = false): string => {
  if (textWidth(text, size, bold) <= width) return text;
  let kept = '';
  for (const character of text) {
    if (textWidth(`${kept}${character}…`, size, bold) > width) break;
    kept += character;
  }
  return kept === '' ? '' : `${kept}…`;
};

/** Lines of whole words no wider than the width; a longer word is cut with an ellipsis. */
export const wrapText = (text: string, size: number, width: number): readonly string[] => {
  const lines: string[] = [];
  for (const word of text.split(/\s+/).filter((w) => w !== '')) {
    const last = lines.at(-1);
    const joined = last === undefined ? word : `${last} ${word}`;
    if (last !== undefined && textWidth(joined, size) <= width) lines[lines.length - 1] = joined;
    else lines.push(fitText(word, size, width));
  }
  return lines;
};
