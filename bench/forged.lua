-- Copyright (C) The nginx gateway modules authors

-- The token in $TOKEN with another signature each time, or none if $MODE is
-- "plain", about 10,000 requests a second from 100 connections; the last line
-- of the output is the rate.

local token = os.getenv("TOKEN")
local head = "Bearer " .. token:match("^(.*%.)")
local tail = token:match("%.([^.]*)$")
local plain = os.getenv("MODE") == "plain"
local n = 0


function request()
    n = n + 1

    if plain then
        return wrk.format()
    end

    local id = string.format("%010d", n)

    wrk.headers["Authorization"] = head .. id .. tail:sub(11)

    return wrk.format()
end


function delay()
    return 8 + n % 3
end


function done(summary)
    io.write(string.format("RATE %d\n",
        summary.requests * 1000000 / summary.duration))
end
