long
thrice(long number)
{
    return 3 * number;
}
