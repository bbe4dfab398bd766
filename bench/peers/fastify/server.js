// The first process: it deals the connections out to its workers, and ends with them.
import cluster from 'node:cluster';
import { settings } from './settings.js';

let stopping = false;

function stop() {
  stopping = true;
  for (const worker of Object.values(cluster.workers)) worker.process.kill('SIGTERM');
}

if (cluster.isPrimary) {
  for (let n = 0; n < settings.workers; n++) cluster.fork();
  cluster.on('exit', () => {
    if (stopping) return;
    process.exitCode = 1;
    stop();
  });
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
} else {
  await import('./app.js');
}
