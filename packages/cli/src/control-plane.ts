/**
 * What the commands know of a control plane: the typed client of the API and the documents it answers with. Types only, so that
 * importing this costs nothing; connect.ts loads the client.
 */
import type { ApiClient, ResponseBody } from '@lpmos/api';

export type ControlPlane = ApiClient;
export type TaskDocument = ResponseBody<'getTask'>;
export type TaskSummary = ResponseBody<'listTasks'>['tasks'][number];
export type ListedRegion = ResponseBody<'listRegions'>['regions'][number];
export type MachineBootsDocument = ResponseBody<'getMachineBoots'>;
export type BootEntry = MachineBootsDocument['regions'][number]['boots'][number];
export type Hardware = NonNullable<TaskDocument['hardware']>;
