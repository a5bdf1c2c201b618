"""Prints what Python, numpy and TensorFlow make of expressions, one case a line, as JSON.

The output is tests/vectors/expressions.jsonl, against which src/bin/savedmodel/run is tested.
"""

import ast
import json
import os
import sys
import warnings

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
warnings.simplefilter("ignore")

import numpy as np
import tensorflow as tf

NUMBERS = """0 00 0_0 1 -1 +1 1_000 0x10 0X_fF 0o17 0b11 0b1_1 1. .5 1e3 1E-3 1_0.0_5e1_0 007.5 1e999 -1e999 2j 08J
1.5e1j 1+2j 1-2j -1+2j +1.5-0j -0.0+1j 1.5+2.5j (1)+2j (1+2j) -(1) -(2j) 9223372036854775808 18446744073709551616
- 0x7fffffffffffffff 1e-7 123456789012345678 1e16 1e15 1e22 0.1 -0.0 5e-324 1.7976931348623157e308
01 1__0 1_ 0x 0x_ 0b2 0o8 1e 1e+ 1a 0xg 1_a --1 +-1 -(-1) 1+1 1j+2j 1+-2j 1+2j+3j -(1+2j) (1+2j)+3j True+1j -True ~1 not\t1
1.real 1..real 1if\t1else\t2 1_000j 0777 0e0 1.e5 1.e 0_7 0xFFFFFFFFFFFFFFFF -0 -0j (-1)+2j 2**3 1,2 1, (1,) () (,) 1,,2
0x1.5 1.5.5 1e5.5 0b 1jj 1_e5 1._5 1e_5 .e5 . .. ... ....""".split()

LITERALS = NUMBERS + [
    "''", "'a'", '"it\'s"', r"'\a\b\f\n\r\t\v\\\'\"'", r"'\x41\101\0\u00e9\U0001f600\q'", r"r'\n'", r"R'\''", "u'é'",
    "U'a'", "'''a'b\n\"'''", '"""x\ny"""', "'a\\\nb'", r"b'\xff\0\u00e9\N{DASH}'", r"rb'\xff'", r"bR'\x'", r"Br''",
    "'a' 'b'", "'a'\"b\"'''c'''", "b'a' b'b'", "'a' b'b'", "f'{1}'", "f''", "ub'a'", "ur'a'", "x'a'", "b'é'",
    r"'\x4'", r"'\u12'", r"'\U00110000'", "'a\nb'", "'''a''", "'a\\", "'a", r"'\777'", r"b'\777'", r"'\08'", "'é😀\u200b'",
    "'a' + 'b'", "'a' * 2", "'%s' % 1", "'tab\there'", "'a\rb'", "'''a\rb'''", "'''a\r\nb'''", r"'\8'", r"'\N{DIGIT ONE}x'[1:]",
    "[]", "[1]", "[1,]", "[,]", "[1 2]", "[1,2", "[1]]", "[\n1,\n2\n]", "[1, # two\n2]", "(\n)", "[[1, 2], (3, 4)]",
    "((1,),(2.5,))", "{1}", "{1,}", "{1, 1.0, True}", "{}", "{,}", "{1: 2}", "{1: 2,}", "{'a': [1.0], 'b': {}}", "{1: 2, 3}",
    "{1, 2: 3}", "{[1]: 2}", "{[1]}", "{(1, [2])}", "{(1, 2): 3}", "{1: 2, True: 3}", "{**{}}", "{*()}", "[*[1]]", "set()",
    "set([1])", "set", "{1: }", "{: 1}", "True", "False", "None", "Ellipsis", "true", "nan", "inf", "np.nan", "__import__('os')",
    "list((1,2))", "[x for x in (1,2)]", "lambda: 0", "1 if True else 2", "None.x", "[1][0]", "1 == 1", "1 < 2", "not True",
    "True and False", "1 | 2", "x", "x=1", "x := 1", "await x", "yield", "*a", "", " ", "\t", "#", "1 # one", " 1", "\t1", "  [1]",
    "\n1", "\n 1", "\n\n1\n", "1\n", "1\n\n", "1\n  ", "1\n2", "1\n # end", "1;", "1 \\\n", "[1 \\\n]", "1 \\\n, 2", "\\\n1", "1\\", "\x0c1", "\x0c 1", " \x0c1", "\\\n 1", " \\\n1", "1\r\n\\\n\t", "1\n\x0c ", "\r\n\x0c1", "1\r\n",
    "[1,\\\n2]", "(1)(2)", "('a')", "('a' 'b')", "(('a'))", "-'a'", "-None", "-[1]", "+True", "1 + 2j", "1+ 2j", "1 -2j", "1+'a'",
    "'a'+2j", "[1+2j, 3.5]", "[1+2j,]", "(1+2j,)", "b''", "B'a'", "[b'a', 'b']", "[None]", "[...]", "[1, 'a', None, 2.5, b'x', True]",
    "(" * 60 + "1" + ")" * 60, "[" * 60 + "]" * 60, "(1, 2", "1)", "[1)", "{1]", "'a' # x", "'#'", "[1,2,\n\n\n3]", "1,2,3", "(1),", "[(1),]",
    "1\x0c", "a.b", "$", "1 $", "?", "`1`", "1!", "é", "'a'é", "0 or 1", "[1 or 2]", "0_0.0", "{'x': 1 'y'}", "[1, 2, ...]", "- 1", "-\n1", "[-\n1]",
]

# What is fed, and into which dtypes.
INTS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
FLOATS = ["float16", "float32", "float64", "bfloat16"]
SMALL = ["float8_e5m2", "float8_e4m3fn"]
ALL = INTS + FLOATS + SMALL + ["bool", "complex64", "complex128", "string"]
FED = [
    ("3", ALL), ("True", ALL), ("1.5", ALL), ("'a'", ["string", "float32", "int32", "bool"]), ("b'a'", ["string", "float32"]),
    ("2", ["bool"]), ("0", ["bool", "int8", "float32"]), ("None", ["float32", "int32", "string", "bool", "float64", "complex64"]),
    ("300", INTS + FLOATS + SMALL), ("-1", INTS + FLOATS), ("3000000000", INTS + FLOATS), ("16777217", ["float32", "float64", "complex64"]),
    ("18446744073709551615", ["uint64", "int64", "float32"]), ("18446744073709551616", ["uint64", "float64", "float32"]),
    ("99999999999999999999", ["float64", "int64"]), ("2049", ["float16"]), ("257", ["bfloat16"]), ("70000", ["float16"]),
    ("[1, -20, 300]", ALL), ("[1.7, -1.7, 0.5]", ALL), ("[1, 2.5, True]", ALL), ("[True, False]", ALL), ("[2, 0]", ["bool"]),
    ("[0.0, -0.0, 1e-300]", ["bool", "float32", "float64"]), ("[1e300, -1e300]", FLOATS + ["float8_e5m2", "complex64"]), ("[1e999, -1e999]", FLOATS + ["bool"]),
    ("[3000000000]", INTS + FLOATS), ("[-1]", INTS), ("[9007199254740993, -1]", ["int64", "float64", "float32"]),
    ("[18446744073709551615]", INTS + FLOATS), ("[18446744073709551615, -1]", ["uint64", "int64", "float64"]),
    ("[18446744073709551616]", ["float32", "float64", "int64", "uint64", "bool"]), ("[18446744073709551616, 1.5]", ["float64", "int32"]),
    ("[1, None]", ["float32", "float64", "int32", "int64", "bool", "string"]), ("[None, 1.5, 'a']", ["float32", "string"]),
    ("[None, '1.5', True, 2]", ["float32"]), ("[None, 3000000000]", ["int32"]), ("['5', None]", ["int32"]),
    ("['1.5']", FLOATS + SMALL + ["complex64", "complex128", "bool"]), ("['1.5']", ["int32", "int64"]), ("['5', ' 6 ', '1_0']", INTS + FLOATS), ("['a']", ["float32", "float64", "int32", "bool"]),
    ("['', 'x']", ["bool", "float32"]), ("['nan', 'inf', '-Infinity']", ["float32"]), ("['3000000000']", ["int32", "int64", "uint32"]), ("['1e400']", ["float64"]),
    ("[b'1.5', b' 2']", ["float32", "float64"]), ("[b'7']", ["int32"]), ("[b'a']", ["float32"]), ("[1, '2']", ["float32", "int32", "string"]), ("[1.5, b'2']", ["float32"]),
    ("[True, '2']", ["float32"]), ("['ab', b'\\xff\\x00', 'é', '']", ["string"]), ("[['a', 'bb'], ['ccc', 'd']]", ["string"]), ("[1, 'a']", ["string"]),
    ("['a', None]", ["string"]), ("[[1], 'a']", ["string"]), ("[['a'], ['b', 'c']]", ["string"]), ("[]", ALL), ("[[], []]", ALL), ("[[[]]]", ["float32"]), ("()", ["int32", "string"]),
    ("[1+2j, 3.5]", ["complex64", "complex128", "float32", "int32", "bool"]), ("1j", ["complex64", "complex128", "float32"]), ("[0j]", ["bool"]),
    ("[[1], [2, 3]]", ["float32", "string", "bool"]), ("[1, [2]]", ["float32"]), ("[[1], 2]", ["float32"]), ("[[1, 2], [3]]", ["int32"]), ("[[[1], [2]], [[3]]]", ["int32"]),
    ("[[[1, 2], [3]], [[4, 5], [6, 7]]]", ["int32"]), ("[[[1, 2], [3, 4]], [[4, 5], 6]]", ["int32"]), ("[[], [1]]", ["float32"]), ("[[1], []]", ["float32"]), ("[[1, 2], 'ab']", ["float32", "string"]),
    ("[[], 1]", ["float32"]), ("[[[]], [1]]", ["float32"]), ("[(1, 2), [3, 4]]", ["int32"]), ("{1: 2}", ["float32", "string", "int32"]), ("{1}", ["float32", "bool"]), ("[{}]", ["float32"]), ("...", ["float32", "bool", "string"]),
    ("[" * 64 + "1" + "]" * 64, ["float32"]), ("[" * 65 + "1" + "]" * 65, ["float32"]),
    ("[0.1, 65504, 65519, 65520, 6e-8, 1e-8]", FLOATS + SMALL), ("[3, 1.0009765625, 1.00048828125, 448, 464, 465]", FLOATS + SMALL), ("[300.7, -300.7, 40000.5]", INTS),
    ("[[0.1, 0.2], [1.1, 22.75]]", FLOATS), ("[0x10, 0b11, 0o17, 1_000]", INTS), ("[[[1,2],[3,4]],[[5,6],[7,8]]]", ["int32", "float32"]), ("[1.0, 2]", ["string"]), ("[b'a', 1]", ["string"]), ("1.0", ["string"]), ("2.5", ["int32"]),
    ("['a\\0']", ["string"]), ("['1\\0']", ["float32"]), ("'abc'", ["string"]),
    ("['(1+2j)', '3', '-2J', '1e-2-1e+1j']", ["complex64", "complex128"]), ("['a']", ["complex64"]), ("[{}]", ["complex128"]), ("70000", ["float8_e4m3fn"]),
    ("['18446744073709551615']", ["uint32", "int32", "uint64"]), ("[2.5, b'2']", ["int64", "uint8"]), ("[1+2j, '1']", ["complex128"]), ("[[True, 2], [3.5, False]]", ["float32", "int32", "bool"]), ("[300, 1e10]", ["int64", "float16"]), ("'1.5'", ["float32", "bool"]),
]
SHAPED = [("[[1,2]]", [None, 1]), ("3", [None, 1]), ("[1]", []), ("[[1]]", None), ("[1,2]", [3]), ("[]", [2]), ("[[1],[2]]", [None, 1]), ("[1]", [None]), ("[[]]", [None, None, 2])]

EXPRESSIONS = """1+1
7//2
-7//2
7%-3
-7.5//2
-7.5%2
7.5%-2
2**10
2**-1
2.0**0.5
10/4
True+True
1+2j*2
(1+2j)/(3-4j)
-2**2
--3
+True
2**3**2
[0]*3
3*[1,2]
[[0]*2]*2
(1,)*2
'ab'*2
b'a'+b'b'
[1]+[2]
list(range(4))
list((1,2))
tuple([1,2])
[float(3), int(2.9), bool(0), str(5), int('7'), float('1e3'), complex(2)]
np.array([1,2,3])
np.array([[1,2],[3,4.5]])
np.array([1,2], dtype=np.float32)
np.array([1.7,-1.7]).astype(int)
np.array([1.7,-1.7]).astype('int32')
np.array([True,False])
np.array(5)
np.asarray([1,2],'f4')
np.array([1,2],dtype='<i2')
np.array([1+2j, 3])
np.array(["a","bc"])
np.array([18446744073709551615])
np.array([1,2],dtype=bool)
np.array(range(3))
np.array([np.array([1,2]),np.array([3,4])])
np.array([np.float32(1),2])
np.array([np.array([1,2],dtype=np.int8),[3,4]])
np.zeros(3)
np.zeros((2,3))
np.zeros([2,1],dtype=np.int64)
np.zeros((128), dtype=int).tolist()
np.zeros((2,0))
np.zeros((0,3)).tolist()
np.ones((1,4,4,3))
np.ones((2,2),'uint8')
np.ones(shape=(2,),dtype=bool)
np.full((2,2),7)
np.full((2,2),1.5)
np.full((2,3),[1,2,3])
np.full(2,True)
np.full((2,),7,dtype='float16')
np.arange(5)
np.arange(2,5)
np.arange(0,1,0.1)
np.arange(1,0,-0.25)
np.arange(5.0)
np.arange(3,dtype=np.float32)
np.arange(0,1,0.1,dtype='float32')
np.arange(10,0,-3)
np.arange(5,0)
np.arange(0.5,5)
np.arange(start=1,stop=4)
np.arange(6).reshape(2,3)
np.arange(6).reshape((3,-1))
np.arange(6).reshape(-1)
np.arange(6).reshape(2,3).T
np.arange(24).reshape(2,3,4).T
np.arange(6).reshape(2,3).tolist()
np.arange(6).reshape(2,3).flatten()
np.arange(6).reshape(2,3).T.flatten()
np.linspace(0,1,5)
np.linspace(0,1)
np.linspace(0,1,7,endpoint=False)
np.linspace(1,1,3)
np.linspace(2,3,1)
np.linspace(0,10,4,dtype=int)
np.linspace(-1,1,4,dtype='float32')
np.linspace(0.1,0.7,11)
np.linspace(0,1,0)
np.eye(3)
np.eye(2,3)
np.eye(3,k=1)
np.eye(3,k=-1,dtype=int)
np.eye(2,dtype=np.float32)
np.identity(2)
np.identity(2,dtype='int8')
np.zeros_like([1,2])
np.ones_like([[1.5]])
np.ones_like(np.array([1,2],dtype='uint8'))
np.zeros_like([1,2],dtype=float)
np.full_like([1,2],3.7)
np.expand_dims([1,2],0)
np.expand_dims([1,2],-1)
np.expand_dims(np.ones((2,3)),(0,2))
np.expand_dims(5,0)
np.reshape([1,2,3,4],(2,2))
np.reshape(range(4),(2,-1))
np.float32(4)
np.float32([1,2])
np.int8(5)
np.uint8([1,255])
np.int32(3.9)
np.float64('1.5')
np.bool_([0,2])
np.complex64(1.5)
np.float16(0.1)
np.pi
np.e
[np.nan, np.inf, -np.inf]
np.newaxis
np.ones(3)*2
np.int16(2)*[1,2]
[1,2]*np.arange(3)[2]
np.float64(0.3)*[1,2,3]
[1,2,3]+np.float64(0.3)
np.ones(3)/3
np.ones((2,1))+np.ones(3)
np.arange(3)*np.arange(3).reshape(3,1)
np.arange(6).reshape(2,3)-[1,2,3]
[1,2,3]+np.ones(3)
2-np.arange(3)
np.arange(3)/2
np.arange(3)//2
np.arange(-3,3)%3
np.arange(-3,3)//2
np.arange(-3,3)//0
np.arange(-3,3)%0
np.arange(4)**2
np.arange(4)**2.0
2**np.arange(4)
np.arange(1,4)**0.5
np.arange(1.0,4)**-1
np.array([1,2],dtype=np.float32)*2
np.array([1,2],dtype=np.float32)*2.5
np.array([1,2],dtype=np.float32)*np.array([1.5,2])
np.array([1,2],dtype=np.float32)/3
np.array([1,2],dtype=np.float32)+1j
np.array([1,2],dtype='int8')+100
np.array([100,127],dtype='int8')+np.array([100,1],dtype='int8')
np.array([1,255],dtype='uint8')*2
np.array([1,255],dtype='uint8')+np.array([1,-1],dtype='int8')
np.array([1,2],dtype='uint64')+np.array([1,2])
np.array([1,2],dtype='int32')+1
np.array([1,2],dtype='int32')/2
np.array([1,2],dtype='int32')*1.5
np.array([1,2],dtype='int8')/np.array([2,2],dtype='int8')
np.array([1.5,2.5],dtype='float16')*np.array([1.1,3.3],dtype='float16')
np.array([1.5,2.5],dtype='float16')+np.array([1,2],dtype='int8')
np.array([1.5,2.5],dtype='float16')+np.array([1,2],dtype='int16')
np.array([True,False])+True
np.array([True,False])*np.array([True,True])
np.array([True,False])+1
np.array([True,False])*1.5
np.array([7.5,-7.5,0.1],dtype='float32')//0.3
np.array([7.5,-7.5,0.1],dtype='float32')%0.3
np.array([7.5,-7.5,0.1])//-0.3
np.array([7.5,-7.5,0.1])%-0.3
np.array([1.0,-1.0,0.0])/0
np.array([1.0,-1.0,0.0])//0
np.array([1+2j,3])*2
np.array([1+2j,3])*(1-1j)
np.array([1+2j,3])/2
-np.arange(3)
-np.array([1,2],dtype='uint8')
+np.arange(3)
np.arange(9223372036854775806,9223372036854775807)+1
np.array([3,2],dtype='uint8')**np.array([5,9],dtype='uint8')
np.float32(4)*2
np.float32(0.1)+np.float64(0.1)
np.array([1,2,3]).astype(np.float32).reshape(1,3)/255
np.array([[1,2],[3,4]],dtype=np.float32).T
np.array([3000000000]).astype(np.int32)
np.array([300]).astype('uint8')
np.array(['1.5','2']).astype(float)
np.array([1.5]).astype(bool)
np.array([0.1,0.2]).astype('float16')
np.ones((3,1))
np.ones((2,3),dtype=np.uint8)*127.5/255
[np.ones(2).tolist(), [3,4]]
{'a': np.zeros(2).tolist()}
np.arange(6)[2]
np.arange(6)[-1]
np.arange(6)[1:4]
np.arange(6)[::-1]
np.arange(6)[-2:]
np.arange(6)[:-2:2]
np.arange(6)[5:0:-2]
np.arange(6)[10:]
np.arange(6)[-10:3]
np.arange(6)[None]
np.arange(6)[:,None]
np.arange(24).reshape(2,3,4)[1]
np.arange(24).reshape(2,3,4)[...,0]
np.arange(24).reshape(2,3,4)[:,1:,::2]
np.arange(24).reshape(2,3,4)[1,-1,2]
np.arange(24).reshape(2,3,4)[np.newaxis,...,::-1]
np.arange(24).reshape(2,3,4)[:,:,np.newaxis,1]
np.zeros((2,3,0))[:,1]
np.arange(6)[6]
np.arange(6)[::0]
np.arange(6)[1,2]
np.arange(6)[...,...]
np.arange(6)[1.5]
np.array([])
np.array([[],[]])
np.array([[1,2],[3]])
np.zeros(-1)
np.arange(6).reshape(4,2)
np.ones(2)+np.ones(3)
np.array([1],dtype='uint8')+300
np.array([True])-np.array([True])
np.arange(3)**-1
1/0
1//0
1%0
0.0**-1
[1]+(2,)
'a'+1
[1]*1.5
np.array([256],dtype='uint8')
np.array(['a']).astype(float)
np.array(['a'])+1
np.expand_dims([1],2)
np.full((2,),[1,2,3])
np.linspace(0,1,-1)
-'a'
np.eye(-1)
range(0,5,0)
int('x')
np.arange(0,1,0)""".split("\n")

PLAIN = (int, float, complex, str, bytes, list, tuple, set, dict, type(None), type(...))


def show(case):
    sys.stdout.write(json.dumps(case) + "\n")


def array(case, value):
    value = np.asarray(value)
    case["dtype"] = "str" if value.dtype.kind == "U" else value.dtype.name
    case["shape"] = list(value.shape)
    if value.dtype.kind == "U":
        case["texts"] = [str(text) for text in value.ravel()]
    elif value.dtype == object:
        case["strings"] = [(text.encode() if isinstance(text, str) else text).hex() for text in value.ravel()]
    else:
        case["bytes"] = np.ascontiguousarray(value).tobytes().hex()


def literals():
    for text in LITERALS:
        try:
            show({"literal": text, "repr": repr(ast.literal_eval(text))})
        except Exception:
            show({"literal": text})


def feeds():
    cases = [(text, name, None) for text, names in FED for name in names]
    cases += [(text, "float32", {"dims": dims}) for text, dims in SHAPED]
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        for text, name, shape in cases:
            dims = shape["dims"] if shape else None
            placeholder = tf.compat.v1.placeholder(tf.as_dtype(name), dims, name="x")
            # A fed tensor that is fetched comes back without having been in the runtime, which is
            # what says whether strings are strings.
            fetched = tf.identity(placeholder) if name == "string" else placeholder
            case = {"feed": text, "target": name, "name": placeholder.name}
            if shape:
                case["dims"] = dims
            try:
                value = session.run(fetched, {placeholder: ast.literal_eval(text)})
                array(case, np.asarray(value, dtype=object) if name == "string" else value)
            except Exception as error:
                case["error"] = str(error)
            show(case)


def expressions():
    for text in EXPRESSIONS:
        case = {"expression": text}
        try:
            value = eval(text, {"np": np})
            if isinstance(value, PLAIN) and not isinstance(value, np.generic):
                case["repr"] = repr(value)
            else:
                array(case, value)
        except Exception as error:
            case["error"] = str(error)
        show(case)


literals()
feeds()
expressions()
