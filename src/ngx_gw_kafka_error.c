
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_kafka_error.h"

#include <librdkafka/rdkafka.h>


ngx_uint_t
ngx_gw_kafka_error_in_message(int err)
{
    switch (err) {

    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
        return 1;

    default:
        return 0;
    }
}
