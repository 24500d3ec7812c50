-- Copyright (C) The nginx gateway modules authors

-- Sends a key as X-Key, one of $KEYS at random, $PAUSE ms after each answer.
-- The last line of the output is for the scripts: requests, microseconds,
-- responses that are neither 2xx nor 3xx, requests without any.

local requests = {}
local count = tonumber(os.getenv("KEYS"))
local pause = tonumber(os.getenv("PAUSE") or 0)


function init()
    math.randomseed(os.time())

    -- the keys that redis-benchmark makes from __rand_int__

    for i = 1, count do
        wrk.headers["X-Key"] = string.format("%012d", i - 1)
        requests[i] = wrk.format()
    end
end


function request()
    return requests[math.random(count)]
end


if pause > 0 then
    function delay()
        return pause
    end
end


function done(summary)
    local e = summary.errors

    io.write(string.format("RESULT %d %d %d %d\n",
        summary.requests, summary.duration, e.status,
        e.connect + e.read + e.write + e.timeout))
end
