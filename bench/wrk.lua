-- Copyright (C) The nginx gateway modules authors

-- Sends the token in $TOKEN, $PAUSE ms after each answer; the last line of the
-- output is for bench/run.sh: requests, microseconds, p50 and p99 in
-- microseconds, failures.

wrk.headers["Authorization"] = "Bearer " .. os.getenv("TOKEN")

local pause = tonumber(os.getenv("PAUSE") or 0)

if pause > 0 then
    function delay()
        return pause
    end
end


function done(summary, latency, requests)
    local e = summary.errors

    io.write(string.format("RESULT %d %d %d %d %d\n",
        summary.requests, summary.duration,
        latency:percentile(50), latency:percentile(99),
        e.connect + e.read + e.write + e.status + e.timeout))
end
