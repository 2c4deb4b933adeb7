/** A line of text that is not a platform's setting: a name, an id, a note. */
import { Input as Box } from 'antd';
import { useId } from 'react';
import { Labelled } from './fields.tsx';

interface InputProps {
  readonly label: string;
  readonly hint?: string;
  readonly value: string;
  readonly fault?: string | undefined;
  readonly maxLength: number;
  readonly isOptional?: boolean;
  readonly onChange: (value: string) => void;
}

export function Input(props: InputProps) {
  const { label, hint, value, fault, maxLength, isOptional = false } = props;
  const id = `bot-${useId()}`;
  return (
    <Labelled id={id} label={label} hint={hint} fault={fault} isOptional={isOptional}>
      <Box
        id={id}
        value={value}
        maxLength={maxLength}
        autoComplete="off"
        spellCheck={false}
        aria-invalid={fault !== undefined}
        {...((hint ?? fault) === undefined ? {} : { 'aria-describedby': `${id}-about` })}
        {...(fault === undefined ? {} : { status: 'error' as const })}
        onChange={(event) => props.onChange(event.target.value)}
      />
    </Labelled>
  );
}
