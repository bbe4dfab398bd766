/* Connection texts with and without passwords. */
#include "config/mask.h"

#include <criterion/criterion.h>

Test(mask, hides_passwords_only)
{
	static const struct {
		const char *text, *shown;
	} examples[] = {
		{"", ""},
		{"none", "none"},
		{"redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"},
		{"redis://:pw@host:6379/0", "redis://:***@host:6379/0"},
		{"redis://user:pw@host", "redis://user:***@host"},
		{"redis://user:p@w/x?y@host", "redis://user:***@host"},
		{"redis://user:p@w/x@host/0?a=b", "redis://user:***@host/0?a=b"},
		{"unix:///run/redis.sock?db=1", "unix:///run/redis.sock?db=1"},
		{"postgresql://user@host/db", "postgresql://user@host/db"},
		{"postgresql://user:pw@host/db?sslmode=require",
			"postgresql://user:***@host/db?sslmode=require"},
		{"postgresql:///db?host=/run&password=pw&user=u",
			"postgresql:///db?host=/run&password=***&user=u"},
		{"postgresql://u:pw@h/d?password=pw2", "postgresql://u:***@h/d?password=***"},
		{"host=h password=pw dbname=d", "host=h password=*** dbname=d"},
		{"host=h PASSWORD = pw", "host=h PASSWORD = ***"},
		{"password='a b\\' c' host=h", "password=*** host=h"},
		{"password='open", "password=***"},
		{"password=a\\ b host=h", "password=*** host=h"},
		{"password= host=h", "password= ***"},
		{"sslpassword=pw password=pw", "sslpassword=*** password=***"},
		{"host=password dbname=d", "host=password dbname=d"},
		{"passfile=/home/x", "passfile=/home/x"},
	};
	for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
		struct buf out = BUF_INIT(1024);
		mask_passwords(&out, examples[i].text);
		cr_expect_str_eq(out.data != NULL ? out.data : "", examples[i].shown);
		buf_free(&out);
	}
}
