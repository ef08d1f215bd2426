import type { MicrobatchShape, ShapePart } from '../plan/plan.ts';

/** Tokens up to which the executor puts short rows into one attention block (`exec/model/batch-layout.ts`). */
const BLOCK_TOKENS = 96;

/**
 * A shape as the executor attends to it: `rows` are attention blocks, `squaredTokens` their squared lengths. Where the
 * part does not say how its rows are packed, they are taken as equally long.
 */
export const shapeAsPacked = ({ parts }: MicrobatchShape): MicrobatchShape => ({ parts: parts.map(packPart) });

const packPart = (part: ShapePart): ShapePart => {
  const { rows, tokens, blockSquares } = part;
  if (blockSquares !== undefined) return { ...part, rows: tokens ** 2 / blockSquares, squaredTokens: blockSquares };
  const rowsPerBlock = Math.min(rows, Math.floor((BLOCK_TOKENS * rows) / Math.max(tokens, 1)));
  if (rowsPerBlock <= 1) return part;
  const length = tokens / rows;
  const full = Math.floor(rows / rowsPerBlock);
  const rest = rows % rowsPerBlock;
  return {
    ...part,
    rows: full + Number(rest > 0),
    squaredTokens: full * (rowsPerBlock * length) ** 2 + (rest * length) ** 2,
  };
};
