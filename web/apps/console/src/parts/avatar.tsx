/** A person as a coloured disc with the first character of their name; the dot says whether they are connected. */
import type { CSSProperties } from 'react';
import { colourOf, initial } from '../format/names.ts';

export function Avatar(props: {
  id: string;
  name: string;
  size?: number;
  online?: boolean | undefined;
}) {
  const { id, name, size = 38, online } = props;
  return (
    <span
      className="avatar"
      aria-hidden="true"
      style={
        {
          '--size': `${size}px`,
          background: `var(--avatar-${colourOf(id)})`,
        } as CSSProperties
      }
    >
      {initial(name)}
      {online !== undefined && <span className={online ? 'dot dot-on' : 'dot'} />}
    </span>
  );
}
