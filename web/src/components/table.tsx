import type { ReactNode } from 'react';
import classes from './table.module.css';

interface TableProps {
  /** What it lists, for whoever does not see it. */
  readonly label: string;
  /** The heads; an empty one is for what can be done about a row. */
  readonly columns: readonly string[];
  /** Columns whose cells are numbers, which stand at the right; counted from 0. */
  readonly numbers?: readonly number[];
  readonly rows: readonly { readonly key: string; readonly cells: readonly ReactNode[] }[];
}

/** Shows a table; where the page is narrow, each row becomes a card with the heads beside its cells. */
export function Table({ label, columns, numbers = [], rows }: TableProps) {
  return (
    <div className={classes.frame}>
      <table className={classes.table} aria-label={label}>
        <thead>
          <tr>
            {columns.map((column, index) => (
              <th key={column} scope="col" data-number={numbers.includes(index) || undefined}>
                {column || <span className={classes.hidden}>Actions</span>}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ key, cells }) => (
            <tr key={key}>
              {cells.map((cell, index) => (
                <td key={columns[index]} data-head={columns[index]} data-number={numbers.includes(index) || undefined}>
                  {cell}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
