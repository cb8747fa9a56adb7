// The type of a dashboard file, made of the types that Grafana publishes for dashboards and for the
// options of each kind of panel used here. The test writes the file as a literal of this type, so that
// the compiler rejects unknown names, wrong types and missing fields, in options too (where Grafana's
// own type of a dashboard accepts anything).

import type {
  Dashboard,
  DataSourceRef,
  FieldConfig,
  FieldConfigSource,
  GraphFieldConfig,
  Panel,
  RowPanel,
} from '@grafana/schema';
import type { Options as StatOptions } from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type {
  FieldConfig as StateTimelineFieldConfig,
  Options as StateTimelineOptions,
} from '@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen';
import type {
  FieldConfig as TableFieldConfig,
  Options as TableOptions,
} from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type { Options as TimeSeriesOptions } from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

// JSON has the values of an enumeration, not its members.
type Spelled<T> = T extends string
  ? `${T}`
  : T extends number
    ? `${T}` extends `${infer N extends number}`
      ? N
      : T
    : T extends (infer Item)[]
      ? Spelled<Item>[]
      : T extends object
        ? { [Key in keyof T]: Spelled<T[Key]> }
        : T;

// The query of the Prometheus data source, which publishes no types; these are from its documentation.
interface Query {
  datasource: DataSourceRef;
  editorMode: 'builder' | 'code';
  expr: string;
  format: 'heatmap' | 'table' | 'time_series';
  instant: boolean;
  interval?: string;
  legendFormat: string;
  range: boolean;
  refId: string;
}

type PanelOf<Type extends string, Options, Custom> = Omit<
  Panel,
  'fieldConfig' | 'options' | 'targets' | 'type'
> & {
  type: Type;
  options: Options;
  // Defaults of fields are optional, and so is what a panel has a default for.
  fieldConfig: Omit<FieldConfigSource, 'defaults'> & {
    defaults: Omit<FieldConfig, 'custom'> & { custom?: Partial<Custom> };
  };
  targets: Query[];
};

type AnyPanel =
  | PanelOf<'stat', StatOptions, Record<string, never>>
  | PanelOf<'state-timeline', StateTimelineOptions, StateTimelineFieldConfig>
  | PanelOf<'table', Omit<TableOptions, 'frameIndex'>, TableFieldConfig>
  | PanelOf<'timeseries', TimeSeriesOptions, GraphFieldConfig>;

type Row = Omit<RowPanel, 'panels'> & { panels: AnyPanel[] };

export type DashboardFile = Spelled<
  Omit<Dashboard, 'panels' | 'id'> & { panels: (AnyPanel | Row)[] }
>;
