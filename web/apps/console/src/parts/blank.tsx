/** A screen or a column with nothing on it: what that means, and the one next step. */
import type { ReactNode } from 'react';
import { Icon, type IconName } from './icon.tsx';

export function Blank(props: {
  icon: IconName;
  title: string;
  text?: string | undefined;
  children?: ReactNode;
  tone?: 'calm' | 'fault';
}) {
  const { icon, title, text, children, tone = 'calm' } = props;
  return (
    <div className={`blank blank-${tone}`} role={tone === 'fault' ? 'alert' : undefined}>
      <span className="blank-sign">
        <Icon name={icon} size={24} />
      </span>
      <h2 className="blank-title">{title}</h2>
      {text !== undefined && <p className="blank-text">{text}</p>}
      {children}
    </div>
  );
}
