/** lpmos-control-plane: configuration in, components out; runtime does the rest. */
import { main } from '@lpmos/runtime';
import { environment } from './config';
import { controlPlaneProgram } from './program';

void main(controlPlaneProgram, environment);
