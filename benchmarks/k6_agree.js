// The load of k6_agree.py as a k6 script: the same bodies at the same rate, each iteration one request.
import http from "k6/http";
import { SharedArray } from "k6/data";

const jobs = new SharedArray("jobs", () => JSON.parse(open(__ENV.JOBS)));

export const options = {
  discardResponseBodies: true,
  scenarios: {
    load: {
      executor: "constant-arrival-rate",
      rate: Number(__ENV.RATE),
      timeUnit: "1s",
      duration: `${__ENV.FOR_S}s`,
      // Enough that none is missing while the server is frozen: an iteration begins when it is due.
      preAllocatedVUs: Number(__ENV.USERS),
      maxVUs: Number(__ENV.USERS),
    },
  },
};

export default function () {
  const [key, body] = jobs[__ITER % jobs.length];
  http.post(`${__ENV.TARGET}/jobs`, body, {
    headers: { "Content-Type": "application/json", "Idempotency-Key": `${key}-${__VU}` },
  });
}
