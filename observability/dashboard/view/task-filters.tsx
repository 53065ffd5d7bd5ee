import { taskStates } from '../../../schemas/query.ts';
import type { TaskFilter } from '../model/task-filter.ts';

interface FilterProps {
  filter: TaskFilter;
  setFilter(filter: TaskFilter): void;
  choices: { roles: string[]; models: string[] };
  shown: number;
  all: number;
}

export function TaskFilters({ filter, setFilter, choices, shown, all }: FilterProps) {
  const set = (part: Partial<TaskFilter>) => setFilter({ ...filter, ...part });
  return (
    <search className="flex flex-wrap items-center gap-2 border-b border-rail p-3">
      <input
        type="search"
        aria-label="Text in goal, repository or id"
        placeholder="Goal, repository or id"
        className="field min-w-40 flex-1"
        value={filter.text}
        onChange={(event) => set({ text: event.target.value })}
      />
      <Select label="State" value={filter.state} onChange={(state) => set({ state })}>
        <option value="">any state</option>
        <option value="open">open</option>
        <option value="attention">needs attention</option>
        {taskStates.map((state) => (
          <option key={state}>{state}</option>
        ))}
      </Select>
      <Select label="Role at work" value={filter.role} onChange={(role) => set({ role })}>
        <option value="">any role</option>
        {choices.roles.map((role) => (
          <option key={role}>{role}</option>
        ))}
      </Select>
      <Select label="Model" value={filter.model} onChange={(model) => set({ model })}>
        <option value="">any model</option>
        {choices.models.map((model) => (
          <option key={model}>{model}</option>
        ))}
      </Select>
      <output className="ml-auto whitespace-nowrap text-soft" aria-live="polite">
        {shown === all ? `${all} ${all === 1 ? 'task' : 'tasks'}` : `${shown} of ${all} tasks`}
      </output>
    </search>
  );
}

interface SelectProps {
  label: string;
  value: string;
  onChange(value: string): void;
  children: React.ReactNode;
}

const Select = ({ label, value, onChange, children }: SelectProps) => (
  <select
    aria-label={label}
    className="field max-w-44"
    value={value}
    onChange={(event) => onChange(event.target.value)}
  >
    {children}
  </select>
);
