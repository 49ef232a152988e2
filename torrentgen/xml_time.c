#include "torrentgen/xml.h"

#include <stdio.h>

#define LAST_SECOND ((apr_int64_t)253402300799) /* 9999-12-31T23:59:59Z */

void tg_xml_time(char out[TG_XML_TIME_SIZE], apr_time_t time)
{
    apr_int64_t seconds = apr_time_sec(time);
    apr_time_exp_t utc;

    if (seconds < 0)
        seconds = 0;
    if (seconds > LAST_SECOND)
        seconds = LAST_SECOND;
    apr_time_exp_gmt(&utc, apr_time_from_sec(seconds));
    snprintf(out, TG_XML_TIME_SIZE, "%04u-%02u-%02uT%02u:%02u:%02uZ", (unsigned)(utc.tm_year + 1900) % 10000,
             (unsigned)(utc.tm_mon + 1) % 100, (unsigned)utc.tm_mday % 100, (unsigned)utc.tm_hour % 100, (unsigned)utc.tm_min % 100,
             (unsigned)utc.tm_sec % 100);
}
