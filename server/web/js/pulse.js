// A worker that says twice a second that time goes by: browsers slow the timers of pages that are not looked at
// down to one a minute, too seldom to keep a place in line, but not those of a worker.
setInterval(() => postMessage(0), 500);
